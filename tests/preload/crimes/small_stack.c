/* SPDX-License-Identifier: MIT */
/* Threads with the least stack there is. */
#include "crime.h"

#include <limits.h>
#include <pthread.h>

static void *thread_main(void *unused)
{
	exercise();
	free(opaque(calloc(1, 64 << 20)));
	return unused;
}

int main(void)
{
	pthread_attr_t attributes;

	CHECK(pthread_attr_init(&attributes) == 0);
	CHECK(pthread_attr_setstacksize(&attributes, (size_t)PTHREAD_STACK_MIN) == 0);
	for (int i = 0; i < 50; i++) {
		pthread_t thread;

		CHECK(pthread_create(&thread, &attributes, thread_main, NULL) == 0);
		CHECK(pthread_join(thread, NULL) == 0);
	}
	return 0;
}
