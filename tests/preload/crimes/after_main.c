/* SPDX-License-Identifier: MIT */
/* Allocations in everything that runs after main(). */
#include "crime.h"

#include <pthread.h>

static void *kept;

static void at_exit(void)
{
	exercise();
	free(kept);
	kept = malloc(1 << 20);
}

static void at_exit_with_status(int status, void *block)
{
	(void)status;
	exercise();
	free(block);
}

__attribute__((destructor(101))) static void destruct(void)
{
	free(kept);
	exercise();
	kept = malloc(100);
}

static void *thread_main(void *unused)
{
	(void)unused;
	exit(0);
}

int main(void)
{
	pthread_t thread;

	kept = malloc(100);
	CHECK(atexit(at_exit) == 0);
	CHECK(on_exit(at_exit_with_status, malloc(1000)) == 0);
	CHECK(atexit(at_exit) == 0);
	CHECK(pthread_create(&thread, NULL, thread_main, NULL) == 0);
	pthread_join(thread, NULL);
	return 1;
}
