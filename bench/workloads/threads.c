/* SPDX-License-Identifier: MIT */
#include "bench/workloads/threads.h"

#include <pthread.h>

#include "bench/workloads/workload.h"

struct thread {
	pthread_t id;
	unsigned index;
	thread_body *body;
	void *arg;
	uint64_t result; /* owner thread, then whoever joined it */
};

static void *thread_start(void *arg)
{
	struct thread *thread = arg;

	thread->result = thread->body(thread->index, thread->arg);
	return NULL;
}

uint64_t threads_run(unsigned count, thread_body *body, void *arg)
{
	struct thread threads[WORKLOAD_MAX_THREADS];
	uint64_t sum = 0;

	for (unsigned i = 0; i < count; i++) {
		threads[i] = (struct thread){.index = i, .body = body, .arg = arg};
		if (pthread_create(&threads[i].id, NULL, thread_start, &threads[i]))
			workload_fail("cannot create a thread");
	}
	for (unsigned i = 0; i < count; i++) {
		pthread_join(threads[i].id, NULL);
		sum += threads[i].result;
	}
	return sum;
}
