/* SPDX-License-Identifier: MIT */
/* A program that never frees much keeps its single thread. */
#include "purge.h"

int main(void)
{
	for (int i = 0; i < 1000; i++) {
		void *block = malloc(1 << 20);

		CHECK(block);
		memset(block, 1, 1 << 20);
		free(block);
		CHECK(count_threads() == 1);
	}
	return 0;
}
