/* SPDX-License-Identifier: MIT */
/* calloc() of memory that somebody wrote to. */
#include "crime.h"

static void dirty(size_t size, bool aligned)
{
	enum { COUNT = 20 };
	void *blocks[COUNT];

	for (int i = 0; i < COUNT; i++) {
		blocks[i] = aligned ? memalign(256, size) : malloc(size);
		CHECK(blocks[i]);
		memset(blocks[i], 0xff, malloc_usable_size(blocks[i]));
	}
	for (int i = 0; i < COUNT; i++)
		free(blocks[i]);
	for (int i = 0; i < COUNT; i++) {
		blocks[i] = calloc(1, size);
		CHECK(blocks[i]);
		CHECK(is_filled(blocks[i], 0, size));
	}
	for (int i = 0; i < COUNT; i++)
		free(blocks[i]);
}

int main(void)
{
	for (size_t size = 1; size < 2 << 20; size = size * 4 / 3 + 1) {
		dirty(size, false);
		dirty(size, true);
	}
	return 0;
}
