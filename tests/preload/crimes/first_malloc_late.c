/* SPDX-License-Identifier: MIT */
/* Threads that allocate for the first time when they end. */
#include "crime.h"

#include <pthread.h>

static pthread_key_t key;

static void destroy(void *unused)
{
	(void)unused;
	exercise();
}

static void *thread_main(void *unused)
{
	(void)unused;
	CHECK(pthread_setspecific(key, &key) == 0);
	return NULL;
}

int main(void)
{
	CHECK(pthread_key_create(&key, destroy) == 0);
	for (int i = 0; i < 100; i++) {
		pthread_t thread;

		CHECK(pthread_create(&thread, NULL, thread_main, NULL) == 0);
		CHECK(pthread_join(thread, NULL) == 0);
	}
	return 0;
}
