/* SPDX-License-Identifier: MIT */
#include "crime.h"

static _Alignas(4096) char array[8192];

int main(void)
{
	free(announce(array + 4096));
	return 0;
}
