/* SPDX-License-Identifier: MIT */
#include "crime.h"

int main(void)
{
	char *block = malloc(1 << 20);

	CHECK(block);
	CHECK(realloc(announce(block + 16 * 4096), 2 << 20));
	return 0;
}
