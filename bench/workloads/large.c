/* SPDX-License-Identifier: MIT */
/*
 * Random replacement of blocks of 64 KiB to 16 MiB, each page touched: the cost of getting
 * memory from the system and giving it back.
 */
#include "bench/workloads/replacement.h"

#define TABLE 8

static struct block *new_large(struct rng *rng)
{
	size_t size = rng_log_between(rng, 16, 24);
	struct block *block = block_new(size, rng_next(rng));

	block_touch_pages(block);
	return block;
}

static uint64_t run(const struct workload_params *params)
{
	static struct block *table[TABLE];

	return replace_at_random(params, table, TABLE, new_large);
}

const struct workload workload = {
	.about = "blocks of 64 KiB to 16 MiB, every page touched",
	.defaults = {.ops = 800},
	.run = run,
};
