/* SPDX-License-Identifier: MIT */
/* Random replacement by aligned_alloc, alignments of 16 bytes to 4 KiB. */
#include <stdlib.h>

#include "bench/workloads/replacement.h"

#define TABLE 2048

static struct block *new_aligned(struct rng *rng)
{
	size_t alignment = (size_t)16 << rng_below(rng, 9);
	size_t size = alignment * rng_between(rng, 1, 4);
	void *memory = aligned_alloc(alignment, size);

	if ((uintptr_t)memory & (alignment - 1))
		workload_fail("aligned_alloc returned a misaligned block");
	return block_mark(memory, size, rng_next(rng));
}

static uint64_t run(const struct workload_params *params)
{
	static struct block *table[TABLE];

	return replace_at_random(params, table, TABLE, new_aligned);
}

const struct workload workload = {
	.about = "aligned_alloc with alignments to 4 KiB",
	.defaults = {.ops = 8000000},
	.run = run,
};
