/* SPDX-License-Identifier: MIT */
#include "crime.h"

int main(void)
{
	char *block = malloc(100);

	CHECK(block);
	memset(block, 'x', 100);
	CHECK_FAILS(reallocarray(block, opaque_size(SIZE_MAX), 2), ENOMEM);
	CHECK_FAILS(reallocarray(block, opaque_size((size_t)1 << 32), (size_t)1 << 32), ENOMEM);
	CHECK_FAILS(reallocarray(NULL, opaque_size(SIZE_MAX / 16 + 2), 16), ENOMEM);
	CHECK(is_filled(block, 'x', 100));
	free(block);
	return 0;
}
