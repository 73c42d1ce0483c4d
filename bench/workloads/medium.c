/* SPDX-License-Identifier: MIT */
/* Random replacement of blocks of 1 to 64 KiB, as buffers are; one write a page. */
#include "bench/workloads/replacement.h"

#define TABLE 512

static struct block *new_buffer(struct rng *rng)
{
	size_t size = rng_log_between(rng, 10, 16);
	struct block *block = block_new(size, rng_next(rng));

	block_touch_pages(block);
	return block;
}

static uint64_t run(const struct workload_params *params)
{
	static struct block *table[TABLE];

	return replace_at_random(params, table, TABLE, new_buffer);
}

const struct workload workload = {
	.about = "blocks of 1 to 64 KiB, random replacement",
	.defaults = {.ops = 4000000},
	.run = run,
};
