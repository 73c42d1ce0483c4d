/* SPDX-License-Identifier: MIT */
/* free() keeps errno, whatever it does to the memory. */
#include "limit.h"

#include <pthread.h>

static void *free_elsewhere(void *block)
{
	errno = 12345;
	free(block);
	CHECK(errno == 12345);
	return NULL;
}

int main(void)
{
	errno = 12345;
	free(NULL);
	CHECK(errno == 12345);
	for (size_t size = 1; size <= (size_t)1 << 31; size *= 2) {
		void *mine = malloc(size), *other = malloc(size);
		pthread_t thread;

		CHECK(mine && other);
		free_elsewhere(mine);
		CHECK(pthread_create(&thread, NULL, free_elsewhere, other) == 0);
		CHECK(pthread_join(thread, NULL) == 0);
	}
	return 0;
}
