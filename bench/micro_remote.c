/* SPDX-License-Identifier: MIT */
/*
 * Objects that one thread allocates and another frees. The time is that of both, each by the
 * clock of its own CPU time, so that handing the batches over does not count.
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "bench/gbench_shim.h"
#include "bench/micro.h"

#define REMOTE_BATCH 1024

struct remote {
	sem_t filled, emptied;
	void *objects[REMOTE_BATCH]; /* the main thread's until filled, then the freer's */
	double seconds;		     /* what freeing took; as objects */
	bool last;		     /* as objects: free nothing and leave */
};

static double thread_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void wait_for(sem_t *sem)
{
	while (sem_wait(sem))
		; /* EINTR */
}

static void *freer(void *arg)
{
	struct remote *remote = arg;

	for (;;) {
		double start;

		wait_for(&remote->filled);
		if (remote->last)
			return NULL;
		start = thread_seconds();
		for (unsigned i = 0; i < REMOTE_BATCH; i++)
			free(remote->objects[i]);
		remote->seconds = thread_seconds() - start;
		sem_post(&remote->emptied);
	}
}

static double allocate(struct remote *remote, size_t size)
{
	double start = thread_seconds();

	for (unsigned i = 0; i < REMOTE_BATCH; i++) {
		unsigned char *p = malloc(size);

		if (!p)
			abort();
		*p = 1;
		remote->objects[i] = p;
	}
	return thread_seconds() - start;
}

static void remote_free(struct bench *bench)
{
	struct remote remote = {.last = false};
	pthread_t thread;

	sem_init(&remote.filled, 0, 0);
	sem_init(&remote.emptied, 0, 0);
	if (pthread_create(&thread, NULL, freer, &remote)) {
		bench_fail(bench, "cannot create a thread");
		return;
	}
	while (bench_batch(bench, REMOTE_BATCH)) {
		double seconds = allocate(&remote, (size_t)bench_arg(bench));

		sem_post(&remote.filled);
		wait_for(&remote.emptied);
		bench_add_time(bench, seconds + remote.seconds);
	}
	remote.last = true;
	sem_post(&remote.filled);
	pthread_join(thread, NULL);
}

void micro_remote_register(void)
{
	bench_register_manual("remote_free", remote_free, 16);
	bench_register_manual("remote_free", remote_free, 256);
	bench_register_manual("remote_free", remote_free, 4096);
}
