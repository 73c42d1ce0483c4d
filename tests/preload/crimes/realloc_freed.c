/* SPDX-License-Identifier: MIT */
#include "crime.h"

int main(void)
{
	void *block = malloc(1 << 20);

	CHECK(block);
	announce(block);
	free(block);
	CHECK(realloc(opaque(block), 2 << 20));
	return 0;
}
