/* SPDX-License-Identifier: MIT */
/*
 * Mixed lifetimes, as in SmartHeap's benchmarks: most blocks die young, last in first out
 * (a call stack) or first in first out (a queue), and one in sixteen lives on among them,
 * so that free memory comes back in pieces.
 */
#include <stdbool.h>

#include "bench/workloads/block.h"
#include "bench/workloads/rng.h"
#include "bench/workloads/threads.h"
#include "bench/workloads/workload.h"

#define YOUNG 4096
#define OLD   1024
#define SWING 256 /* the stack grows and shrinks by up to that many at a time */

enum { LIFO, FIFO };

struct lives {
	struct rng rng;
	uint64_t ops, sum;
	struct block *young[YOUNG];
	struct block *old[OLD];
};

/* Small, with a tail to 1 KiB. */
static struct block *new_block(struct lives *lives)
{
	size_t max = rng_below(&lives->rng, 16) ? 128 : 1024;

	lives->ops++;
	return block_new(rng_between(&lives->rng, 16, max), rng_next(&lives->rng));
}

static bool becomes_old(struct lives *lives)
{
	return !rng_below(&lives->rng, 16);
}

static void keep_old(struct lives *lives, struct block *block)
{
	struct block **slot = &lives->old[rng_below(&lives->rng, OLD)];

	lives->sum += block_free(*slot);
	*slot = block;
}

static void run_lifo(struct lives *lives, uint64_t ops)
{
	unsigned depth = 0;

	while (lives->ops < ops) {
		unsigned up = rng_below(&lives->rng, SWING), down = rng_below(&lives->rng, SWING);

		while (up-- && depth < YOUNG) {
			struct block *block = new_block(lives);

			if (becomes_old(lives))
				keep_old(lives, block);
			else
				lives->young[depth++] = block;
		}
		while (down-- && depth) {
			lives->sum += block_free(lives->young[--depth]);
			lives->young[depth] = NULL;
		}
	}
}

static void run_fifo(struct lives *lives, uint64_t ops)
{
	for (unsigned next = 0; lives->ops < ops; next = (next + 1) % YOUNG) {
		struct block *oldest = lives->young[next];

		if (oldest && becomes_old(lives))
			keep_old(lives, oldest);
		else
			lives->sum += block_free(oldest);
		lives->young[next] = new_block(lives);
	}
}

static uint64_t live(unsigned index, void *arg)
{
	const struct workload_params *params = arg;
	struct lives *lives = calloc(1, sizeof(*lives));
	uint64_t sum;

	if (!lives)
		workload_fail("out of memory");
	lives->rng = rng_make(params->seed, index);
	if (params->mode == LIFO)
		run_lifo(lives, params->ops / params->threads);
	else
		run_fifo(lives, params->ops / params->threads);
	sum = lives->sum + block_free_all(lives->young, YOUNG) + block_free_all(lives->old, OLD);
	free(lives);
	return sum;
}

static uint64_t run(const struct workload_params *params)
{
	return threads_run(params->threads, live, (void *)params);
}

const struct workload workload = {
	.about = "short lives in stack or queue order, with long ones among them",
	.modes = {[LIFO] = "lifo", [FIFO] = "fifo"},
	.defaults = {.ops = 60000000},
	.run = run,
};
