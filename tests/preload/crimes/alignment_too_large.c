/* SPDX-License-Identifier: MIT */
#include "crime.h"

int main(void)
{
	int marker;
	void *block = &marker;

	errno = 12345;
	CHECK(posix_memalign(&block, opaque_size((size_t)1 << 62), 1) == ENOMEM);
	CHECK(posix_memalign(&block, opaque_size((size_t)1 << 63), 1) == ENOMEM);
	CHECK(posix_memalign(&block, 64, opaque_size(PTRDIFF_MAX - 10)) == ENOMEM);
	CHECK(posix_memalign(&block, 1 << 20, opaque_size(SIZE_MAX - 100)) == ENOMEM);
	CHECK(errno == 12345);
	CHECK(block == &marker);
	CHECK_FAILS(aligned_alloc(opaque_size((size_t)1 << 63), 1), ENOMEM);
	CHECK_FAILS(memalign(opaque_size((size_t)1 << 62), 1), ENOMEM);
	return 0;
}
