/* SPDX-License-Identifier: MIT */
#include "crime.h"

int main(void)
{
	char *block = malloc(1 << 20);

	CHECK(block);
	free(announce(block + 16 * 4096));
	return 0;
}
