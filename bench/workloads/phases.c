/* SPDX-License-Identifier: MIT */
/*
 * A program that changes its mind: each phase fills a heap of tens of megabytes with objects of
 * its own sizes and then drops seven in eight of them at random. What a phase leaves behind lies
 * scattered where the next one, with other sizes, wants to allocate.
 */
#include "bench/workloads/block.h"
#include "bench/workloads/rng.h"
#include "bench/workloads/workload.h"

#define TABLE  131072
#define PHASES 8

/* Smallest and largest object of a phase; the phases take turns. */
static const struct {
	uint16_t min, max;
} sizes[] = {{16, 64}, {64, 512}, {24, 40}, {256, 320}, {16, 128}, {100, 1000}};

static void fill(struct block **table, struct rng *rng, unsigned phase)
{
	unsigned kind = phase % (sizeof(sizes) / sizeof(sizes[0]));

	for (unsigned i = 0; i < TABLE; i++)
		if (!table[i])
			table[i] = block_new(rng_between(rng, sizes[kind].min, sizes[kind].max),
					     rng_next(rng));
}

static uint64_t drop_most(struct block **table, struct rng *rng)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < TABLE; i++) {
		if (rng_below(rng, 8)) {
			sum += block_free(table[i]);
			table[i] = NULL;
		}
	}
	return sum;
}

static uint64_t run(const struct workload_params *params)
{
	static struct block *table[TABLE];
	uint64_t phases = params->ops / TABLE;
	struct rng rng = rng_make(params->seed, 0);
	uint64_t sum = 0;

	/* Never so few that the sizes do not change. */
	for (unsigned phase = 0; phase < phases || phase < PHASES; phase++) {
		fill(table, &rng, phase);
		sum += drop_most(table, &rng);
	}
	return sum + block_free_all(table, TABLE);
}

const struct workload workload = {
	.about = "phases of other sizes each, over what the last one left",
	.defaults = {.ops = 6000000},
	.run = run,
};
