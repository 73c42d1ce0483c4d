/* SPDX-License-Identifier: MIT */
/* Random replacement of objects whose sizes are Pareto distributed, 16 bytes to 1 KiB. */
#include <math.h>

#include "bench/workloads/block.h"
#include "bench/workloads/rng.h"
#include "bench/workloads/workload.h"

#define TABLE	 16384
#define SIZES	 4096 /* quantiles of the distribution, so that a draw is one load */
#define SHAPE	 1.1
#define SMALLEST 16
#define LARGEST	 1024

static void fill_quantiles(uint16_t *sizes)
{
	for (unsigned i = 0; i < SIZES; i++) {
		double quantile = (i + 0.5) / SIZES;
		double size = SMALLEST * pow(1 - quantile, -1 / SHAPE);

		sizes[i] = (uint16_t)(size < LARGEST ? size : LARGEST);
	}
}

static uint64_t run(const struct workload_params *params)
{
	static struct block *table[TABLE];
	static uint16_t sizes[SIZES];
	struct rng rng = rng_make(params->seed, 0);
	uint64_t sum = 0;

	fill_quantiles(sizes);
	for (uint64_t op = 0; op < params->ops; op++) {
		struct block **slot = &table[rng_below(&rng, TABLE)];

		sum += block_free(*slot);
		*slot = block_new(sizes[rng_below(&rng, SIZES)], rng_next(&rng));
	}
	return sum + block_free_all(table, TABLE);
}

const struct workload workload = {
	.about = "Pareto distributed sizes to 1 KiB, random replacement",
	.defaults = {.ops = 40000000},
	.run = run,
};
