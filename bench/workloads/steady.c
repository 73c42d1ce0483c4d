/* SPDX-License-Identifier: MIT */
/*
 * The same work for any number of threads and of live objects: the threads share out --live
 * objects, each in a table of its own, and then --ops random replacements.
 *
 * Measures CPU time per replacement, and what is resident for each live byte after the last one.
 * What was resident before the first object, the tables among it, does not count.
 */
#include <pthread.h>
#include <string.h>

#include "bench/workloads/block.h"
#include "bench/workloads/measure.h"
#include "bench/workloads/rng.h"
#include "bench/workloads/threads.h"
#include "bench/workloads/workload.h"

#define LIVE_MAX (1u << 24)

static struct block *tables[LIVE_MAX];
static pthread_barrier_t everybody;
static uint64_t rss_before;			  /* const once the threads run */
static double cpu_seconds[WORKLOAD_MAX_THREADS];  /* its thread, then after the barrier thread 0 */
static uint64_t live_bytes[WORKLOAD_MAX_THREADS]; /* as cpu_seconds */

static struct block *new_block(struct rng *rng)
{
	return block_new(rng_log_between(rng, 4, 8), rng_next(rng));
}

static uint64_t replace(struct rng *rng, struct block **table, uint64_t places, uint64_t ops)
{
	uint64_t sum = 0;

	for (uint64_t op = 0; op < ops; op++) {
		struct block **place = &table[rng_below(rng, (uint32_t)places)];

		sum += block_free(*place);
		*place = new_block(rng);
	}
	return sum;
}

static void report(const struct workload_params *params)
{
	uint64_t rss = measure_rss_bytes() - rss_before;
	double seconds = 0, live = 0;

	for (unsigned i = 0; i < params->threads; i++) {
		seconds += cpu_seconds[i];
		live += (double)live_bytes[i];
	}
	measure_print("ns_per_op", seconds * 1e9 / (double)params->ops);
	measure_print("rss_per_live", (double)rss / live);
}

static uint64_t work(unsigned index, void *arg)
{
	const struct workload_params *params = arg;
	uint64_t places = params->live / params->threads;
	struct block **table = tables + index * places;
	struct rng rng = rng_make(params->seed, index);
	uint64_t sum;
	double start;

	for (uint64_t i = 0; i < places; i++)
		table[i] = new_block(&rng);
	pthread_barrier_wait(&everybody);
	start = measure_thread_seconds();
	sum = replace(&rng, table, places, params->ops / params->threads);
	cpu_seconds[index] = measure_thread_seconds() - start;
	for (uint64_t i = 0; i < places; i++)
		live_bytes[index] += table[i]->size;
	pthread_barrier_wait(&everybody);
	if (index == 0)
		report(params);
	pthread_barrier_wait(&everybody);
	return sum + block_free_all(table, places);
}

static uint64_t run(const struct workload_params *params)
{
	if (params->live > LIVE_MAX || params->live < params->threads)
		workload_fail("too many or too few objects for --live");
	memset(tables, 0, params->live * sizeof(tables[0]));
	pthread_barrier_init(&everybody, NULL, params->threads);
	rss_before = measure_rss_bytes();
	return threads_run(params->threads, work, (void *)params);
}

const struct workload workload = {
	.about = "random replacement among --live objects, shared out to the threads",
	.defaults = {.ops = 10000000, .live = 100000},
	.run = run,
};
