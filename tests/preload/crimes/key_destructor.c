/* SPDX-License-Identifier: MIT */
/* A thread allocates and frees until the last round of its key destructors. */
#include "crime.h"

#include <limits.h>
#include <pthread.h>

static pthread_key_t keys[3];
static int rounds;

static void destroy(void *block)
{
	exercise();
	free(block);
	__atomic_add_fetch(&rounds, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < 3; i++)
		if (!pthread_getspecific(keys[i]))
			CHECK(pthread_setspecific(keys[i], malloc(100)) == 0);
}

static void *thread_main(void *unused)
{
	exercise();
	for (int i = 0; i < 3; i++)
		CHECK(pthread_setspecific(keys[i], malloc(100)) == 0);
	return unused;
}

int main(void)
{
	for (int i = 0; i < 3; i++)
		CHECK(pthread_key_create(&keys[i], destroy) == 0);
	for (int i = 0; i < 20; i++) {
		pthread_t thread;

		CHECK(pthread_create(&thread, NULL, thread_main, NULL) == 0);
		CHECK(pthread_join(thread, NULL) == 0);
	}
	CHECK(rounds >= 20 * PTHREAD_DESTRUCTOR_ITERATIONS);
	return 0;
}
