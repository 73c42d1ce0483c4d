/* SPDX-License-Identifier: MIT */
#include "crime.h"

int main(void)
{
	enum { COUNT = 1000 };
	static void *blocks[COUNT];

	for (int i = 0; i < COUNT; i++) {
		blocks[i] = i % 2 ? malloc(0) : calloc(i % 3, 0);
		CHECK(blocks[i]);
		for (int j = 0; j < i; j++)
			CHECK(blocks[i] != blocks[j]);
	}
	for (int i = 0; i < COUNT; i++) {
		/* Either way the block is gone, and the result may be freed. */
		void *rest = realloc(blocks[i], 0);

		free(rest);
	}
	free(realloc(NULL, 0));
	free(memalign(64, 0));
	CHECK(malloc_usable_size(NULL) == 0);
	return 0;
}
