/* SPDX-License-Identifier: MIT */
/*
 * Random replacement of blocks of 64 KiB to 16 MiB, each page touched: the cost of getting
 * memory from the system and giving it back.
 */
#include "bench/workloads/block.h"
#include "bench/workloads/rng.h"
#include "bench/workloads/workload.h"

#define TABLE 8

static uint64_t run(const struct workload_params *params)
{
	static struct block *table[TABLE];
	struct rng rng = rng_make(params->seed, 0);
	uint64_t sum = 0;

	for (uint64_t op = 0; op < params->ops; op++) {
		struct block **slot = &table[rng_below(&rng, TABLE)];

		sum += block_free(*slot);
		*slot = block_new(rng_log_between(&rng, 16, 24), rng_next(&rng));
		block_touch_pages(*slot);
	}
	return sum + block_free_all(table, TABLE);
}

const struct workload workload = {
	.about = "blocks of 64 KiB to 16 MiB, every page touched",
	.defaults = {.ops = 800},
	.run = run,
};
