/* SPDX-License-Identifier: MIT */
#include "crime.h"

int main(void)
{
	CHECK_FAILS(aligned_alloc(opaque_size(0), 64), EINVAL);
	CHECK_FAILS(aligned_alloc(opaque_size(3), 64), EINVAL);
	CHECK_FAILS(aligned_alloc(opaque_size(24), 64), EINVAL);
	CHECK_FAILS(aligned_alloc(opaque_size(SIZE_MAX), 64), EINVAL);
	return 0;
}
