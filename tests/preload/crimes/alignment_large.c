/* SPDX-License-Identifier: MIT */
/* Every alignment that a machine can bear, and blocks that can be freed again. */
#include "crime.h"

int main(void)
{
	void *blocks[29];
	unsigned int n = 0;

	for (size_t alignment = 8; alignment <= (size_t)1 << 30; alignment *= 2) {
		CHECK(posix_memalign(&blocks[n], alignment, alignment / 3 + 1) == 0);
		CHECK((uintptr_t)blocks[n] % alignment == 0);
		CHECK(malloc_usable_size(blocks[n]) >= alignment / 3 + 1);
		memset(blocks[n], 'x', 1);
		n++;
	}
	for (unsigned int i = 0; i < n; i += 2)
		free(blocks[i]);
	for (unsigned int i = 1; i < n; i += 2) {
		blocks[i] = realloc(blocks[i], 100);
		CHECK(blocks[i]);
		CHECK(is_filled(blocks[i], 'x', 1));
		free(blocks[i]);
	}
	return 0;
}
