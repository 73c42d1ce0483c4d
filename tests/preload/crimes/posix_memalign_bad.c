/* SPDX-License-Identifier: MIT */
#include "crime.h"

int main(void)
{
	const size_t alignments[] = {0, 1, 2, 3, 4, 7, 12, 24, 100, SIZE_MAX};
	int marker;

	for (unsigned int i = 0; i < sizeof(alignments) / sizeof(*alignments); i++) {
		void *block = &marker;

		errno = 12345;
		CHECK(posix_memalign(&block, opaque_size(alignments[i]), 64) == EINVAL);
		CHECK(errno == 12345);
		CHECK(block == &marker);
	}
	return 0;
}
