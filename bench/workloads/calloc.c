/* SPDX-License-Identifier: MIT */
/*
 * Random replacement by calloc, 16 bytes to 16 KiB and now and then to 1 MiB. Every block is
 * soiled, so that recycled memory must be cleared again.
 */
#include <stdlib.h>

#include "bench/workloads/replacement.h"

#define TABLE  512
#define STRIDE 512 /* bytes between those that are checked and soiled */

static size_t new_size(struct rng *rng)
{
	return rng_below(rng, 1024) ? rng_log_between(rng, 4, 14) : rng_log_between(rng, 14, 20);
}

static struct block *new_zeroed(struct rng *rng)
{
	size_t size = new_size(rng);
	unsigned char *bytes = calloc(1, size);

	if (!bytes)
		workload_fail("out of memory");
	for (size_t at = 0; at < size; at += STRIDE)
		if (bytes[at] || bytes[size - 1 - at])
			workload_fail("calloc returned memory that is not zero");
	for (size_t at = 0; at < size; at += STRIDE)
		bytes[at] = bytes[size - 1 - at] = 0xff;
	return block_mark(bytes, size, rng_next(rng));
}

static uint64_t run(const struct workload_params *params)
{
	static struct block *table[TABLE];

	return replace_at_random(params, table, TABLE, new_zeroed);
}

const struct workload workload = {
	.about = "zeroed memory of 16 bytes to 16 KiB, rarely 1 MiB",
	.defaults = {.ops = 3000000},
	.run = run,
};
