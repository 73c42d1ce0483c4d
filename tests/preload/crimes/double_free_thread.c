/* SPDX-License-Identifier: MIT */
/* The second free comes from another thread than the first. */
#include "crime.h"

#include <pthread.h>

static pthread_barrier_t freed;

static void *free_again(void *block)
{
	pthread_barrier_wait(&freed);
	free(block);
	return NULL;
}

int main(void)
{
	void *block = malloc(1 << 20);
	pthread_t thread;

	CHECK(block);
	announce(block);
	CHECK(pthread_barrier_init(&freed, NULL, 2) == 0);
	CHECK(pthread_create(&thread, NULL, free_again, opaque(block)) == 0);
	free(block);
	pthread_barrier_wait(&freed);
	CHECK(pthread_join(thread, NULL) == 0);
	return 0;
}
