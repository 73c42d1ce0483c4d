/* SPDX-License-Identifier: MIT */
/* Allocations before any constructor could have prepared for them. */
#include "crime.h"

#include <pthread.h>

static void *early[2];

static void preinit(int argc, char **argv, char **environment)
{
	(void)argc;
	(void)argv;
	(void)environment;
	early[0] = malloc(100);
	exercise();
}

__attribute__((section(".preinit_array"),
	       used)) static void (*const preinit_entry)(int, char **, char **) = preinit;

static void *thread_main(void *unused)
{
	exercise();
	return unused;
}

__attribute__((constructor(101))) static void construct(void)
{
	pthread_t thread;

	early[1] = calloc(1, 1 << 20);
	CHECK(pthread_create(&thread, NULL, thread_main, NULL) == 0);
	CHECK(pthread_join(thread, NULL) == 0);
	exercise();
}

int main(void)
{
	CHECK(early[0] && early[1]);
	free(early[0]);
	free(early[1]);
	return 0;
}
