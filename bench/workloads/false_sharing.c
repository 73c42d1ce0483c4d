/* SPDX-License-Identifier: MIT */
/*
 * False sharing. In "thrash" every thread works on small objects of its own: they are slow
 * if the allocator hands one cache line to two threads. In "scratch" every thread first frees
 * a neighbour of the others' objects, which the main thread had made: they are slow if an
 * allocator then lets each thread reuse its part of the shared line.
 */
#include "bench/workloads/threads.h"
#include "bench/workloads/workload.h"

#include <stdlib.h>

#define OBJECT 8
#define WRITES 8 /* on each object, before it is freed */

enum { SCRATCH, THRASH };

struct sharing {
	const struct workload_params *params;
	unsigned char *given[WORKLOAD_MAX_THREADS]; /* const after init; thread i frees [i] */
};

static unsigned char *new_object(void)
{
	unsigned char *object = malloc(OBJECT);

	if (!object)
		workload_fail("out of memory");
	return object;
}

static uint64_t write_object(unsigned char *object, unsigned char start)
{
	volatile unsigned char *bytes = object;

	bytes[0] = start;
	for (unsigned i = 0; i < WRITES; i++)
		bytes[0] = (unsigned char)(bytes[0] + i);
	return bytes[0];
}

static uint64_t work(unsigned index, void *arg)
{
	const struct sharing *sharing = arg;
	uint64_t ops = sharing->params->ops / sharing->params->threads;
	uint64_t sum = 0;

	free(sharing->given[index]);
	for (uint64_t op = 0; op < ops; op++) {
		unsigned char *object = new_object();

		sum += write_object(object, (unsigned char)op);
		free(object);
	}
	return sum;
}

static uint64_t run(const struct workload_params *params)
{
	struct sharing sharing = {.params = params};

	if (params->mode == SCRATCH)
		for (unsigned i = 0; i < params->threads; i++)
			sharing.given[i] = new_object();
	return threads_run(params->threads, work, &sharing);
}

const struct workload workload = {
	.about = "small objects written by several threads; shared cache lines make it slow",
	.modes = {[SCRATCH] = "scratch", [THRASH] = "thrash"},
	.defaults = {.ops = 60000000},
	.run = run,
};
