/* SPDX-License-Identifier: MIT */
#include "crime.h"

int main(void)
{
	void *block = malloc(1 << 20);

	CHECK(block);
	announce(block);
	free(block);
	CHECK(malloc_usable_size(opaque(block)) > 0);
	return 0;
}
