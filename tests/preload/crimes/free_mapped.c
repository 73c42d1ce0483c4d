/* SPDX-License-Identifier: MIT */
#include "crime.h"

#include <sys/mman.h>

int main(void)
{
	void *mapped =
		mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(mapped != MAP_FAILED);
	free(announce(mapped));
	return 0;
}
