/* SPDX-License-Identifier: MIT */
#ifndef BENCH_WORKLOADS_REPLACEMENT_H
#define BENCH_WORKLOADS_REPLACEMENT_H

#include "bench/workloads/block.h"
#include "bench/workloads/rng.h"
#include "bench/workloads/workload.h"

/*
 * Random replacement: each operation frees the block in a random place of @table and puts a new
 * one there. Returns the checksum; all blocks are freed.
 */
static inline uint64_t replace_at_random(const struct workload_params *params, struct block **table,
					 uint32_t places, struct block *(*make)(struct rng *rng))
{
	struct rng rng = rng_make(params->seed, 0);
	uint64_t sum = 0;

	for (uint64_t op = 0; op < params->ops; op++) {
		struct block **place = &table[rng_below(&rng, places)];

		sum += block_free(*place);
		*place = make(&rng);
	}
	return sum + block_free_all(table, places);
}

#endif
