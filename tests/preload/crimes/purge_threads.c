/* SPDX-License-Identifier: MIT */
/* A process with threads whose last act is to free: nothing of it allocates any more. */
#include "purge.h"

#include <pthread.h>
#include <sys/single_threaded.h>

static void *wait_for_ever(void *arg)
{
	for (;;)
		pause();
	return arg;
}

int main(void)
{
	pthread_t thread;

	CHECK(pthread_create(&thread, NULL, wait_for_ever, NULL) == 0);
	CHECK(!__libc_single_threaded);
	fill_and_free();
	expect_idle();
	CHECK(count_threads() == 3);
	return 0;
}
