/* SPDX-License-Identifier: MIT */
#include "crime.h"

int main(void)
{
	free(announce((void *)16));
	return 0;
}
