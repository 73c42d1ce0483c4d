/* SPDX-License-Identifier: MIT */
#include "crime.h"

int main(void)
{
	long on_stack[4] = {0};

	free(announce(&on_stack[2]));
	return 0;
}
