/* SPDX-License-Identifier: MIT */
/* A realloc that fails leaves the block as it was. */
#include "crime.h"

static void fail_to_grow(size_t size)
{
	const size_t sizes[] = {PTRDIFF_MAX, (size_t)PTRDIFF_MAX + 1, SIZE_MAX};
	char *block = malloc(size);

	CHECK(block);
	memset(block, 'x', size);
	for (unsigned int i = 0; i < 3; i++) {
		CHECK_FAILS(realloc(opaque(block), opaque_size(sizes[i])), ENOMEM);
		CHECK_FAILS(reallocarray(opaque(block), opaque_size(sizes[i]), 1), ENOMEM);
		CHECK(is_filled(block, 'x', size));
	}
	free(block);
}

int main(void)
{
	fail_to_grow(1);
	fail_to_grow(1000);
	fail_to_grow(1 << 20);
	fail_to_grow(64 << 20);
	return 0;
}
