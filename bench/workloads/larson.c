/* SPDX-License-Identifier: MIT */
/*
 * A server after Larson and Krishnan: every thread replaces random objects of a table,
 * then dies; its successor inherits the table and so frees what the dead thread allocated.
 */
#include "bench/workloads/block.h"
#include "bench/workloads/rng.h"
#include "bench/workloads/threads.h"
#include "bench/workloads/workload.h"

#define TABLE	       2048
#define GENERATION_OPS 50000 /* replacements that a thread makes in its life */

static struct block *tables[WORKLOAD_MAX_THREADS][TABLE]; /* one owner thread each */

struct generation {
	const struct workload_params *params;
	uint64_t number;
};

static uint64_t serve(unsigned index, void *arg)
{
	const struct generation *generation = arg;
	unsigned threads = generation->params->threads;
	struct block **table = tables[(index + generation->number) % threads];
	struct rng rng = rng_make(generation->params->seed, generation->number * threads + index);
	uint64_t sum = 0;

	for (unsigned op = 0; op < GENERATION_OPS; op++) {
		struct block **slot = &table[rng_below(&rng, TABLE)];

		sum += block_free(*slot);
		*slot = block_new(rng_between(&rng, 16, 512), rng_next(&rng));
	}
	return sum;
}

static uint64_t run(const struct workload_params *params)
{
	uint64_t generations = params->ops / GENERATION_OPS / params->threads + 1;
	uint64_t sum = 0;

	for (uint64_t number = 0; number < generations; number++) {
		struct generation generation = {params, number};

		sum += threads_run(params->threads, serve, &generation);
	}
	for (unsigned i = 0; i < params->threads; i++)
		sum += block_free_all(tables[i], TABLE);
	return sum;
}

const struct workload workload = {
	.about = "server threads that die and leave their objects to a successor",
	.defaults = {.ops = 50000000},
	.run = run,
};
