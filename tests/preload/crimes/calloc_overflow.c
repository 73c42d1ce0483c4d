/* SPDX-License-Identifier: MIT */
#include "crime.h"

int main(void)
{
	CHECK_FAILS(calloc(opaque_size(SIZE_MAX), 2), ENOMEM);
	CHECK_FAILS(calloc(2, opaque_size(SIZE_MAX)), ENOMEM);
	CHECK_FAILS(calloc(opaque_size((size_t)1 << 32), (size_t)1 << 32), ENOMEM);
	CHECK_FAILS(calloc(opaque_size(SIZE_MAX / 16 + 2), 16), ENOMEM);
	CHECK_FAILS(calloc(opaque_size(PTRDIFF_MAX / 2 + 1), 2), ENOMEM);
	return 0;
}
