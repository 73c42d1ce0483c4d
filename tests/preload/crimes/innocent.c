/* SPDX-License-Identifier: MIT */
/* No crime: what is wrong is the configuration. */
#include "crime.h"

int main(void)
{
	exercise();
	return 0;
}
