/* SPDX-License-Identifier: MIT */
/* Threads allocate and fork all the time; children go on, fork again and exit. */
#include "crime.h"

#include <pthread.h>
#include <stdatomic.h>

enum { THREADS = 4, BLOCKS = 500 };

static atomic_bool stop;

static void *allocate(void *unused)
{
	void *blocks[BLOCKS] = {NULL};

	for (unsigned int i = 0; !stop; i++) {
		void **block = &blocks[i * 2654435761U % BLOCKS];

		free(*block);
		*block = malloc(i % 100 ? i % 3000 : i % 300000);
	}
	for (int i = 0; i < BLOCKS; i++)
		free(blocks[i]);
	return unused;
}

static void child_main(int depth)
{
	pthread_t thread;
	pid_t child;

	exercise();
	stop = false;
	CHECK(pthread_create(&thread, NULL, allocate, NULL) == 0);
	if (depth > 0) {
		child = fork();
		if (child == 0)
			child_main(depth - 1);
		expect_success(child);
	}
	stop = true;
	CHECK(pthread_join(thread, NULL) == 0);
	exit(0);
}

static void *fork_often(void *unused)
{
	for (int i = 0; i < 40; i++) {
		pid_t child = fork();

		if (child == 0)
			child_main(1);
		expect_success(child);
	}
	return unused;
}

int main(void)
{
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, i % 2 ? allocate : fork_often, NULL) == 0);
	for (int i = 0; i < THREADS; i += 2)
		CHECK(pthread_join(threads[i], NULL) == 0);
	stop = true;
	for (int i = 1; i < THREADS; i += 2)
		CHECK(pthread_join(threads[i], NULL) == 0);
	return 0;
}
