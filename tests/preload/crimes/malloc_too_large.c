/* SPDX-License-Identifier: MIT */
#include "crime.h"

int main(void)
{
	const size_t sizes[] = {PTRDIFF_MAX, (size_t)PTRDIFF_MAX + 1, SIZE_MAX - 4096, SIZE_MAX - 1,
				SIZE_MAX};

	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		size_t size = opaque_size(sizes[i]);

		CHECK_FAILS(malloc(size), ENOMEM);
		CHECK_FAILS(calloc(1, size), ENOMEM);
		CHECK_FAILS(valloc(size), ENOMEM);
		CHECK_FAILS(pvalloc(size), ENOMEM);
		CHECK_FAILS(memalign(64, size), ENOMEM);
		CHECK_FAILS(aligned_alloc(4096, size), ENOMEM);
		CHECK_FAILS(realloc(NULL, size), ENOMEM);
	}
	exercise();
	return 0;
}
