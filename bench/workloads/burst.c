/* SPDX-License-Identifier: MIT */
/*
 * Bursts with thread churn: each thread allocates a burst, frees half of it, and leaves the
 * survivors in a table for everyone, where they displace what strangers left before.
 */
#include <stdatomic.h>

#include "bench/workloads/block.h"
#include "bench/workloads/rng.h"
#include "bench/workloads/threads.h"
#include "bench/workloads/workload.h"

#define BURST		256
#define TABLE		4096
#define BURSTS_PER_LIFE 64

static _Atomic(struct block *) survivors[TABLE]; /* a pointer taken out is the taker's */

struct generation {
	const struct workload_params *params;
	uint64_t number;
};

/* Mostly under 256 bytes, some to 4 KiB, few to 64 KiB. */
static size_t burst_size(struct rng *rng)
{
	uint32_t dice = rng_below(rng, 256);

	if (!dice)
		return rng_log_between(rng, 12, 16);
	return dice < 16 ? rng_log_between(rng, 8, 12) : rng_between(rng, 16, 256);
}

static uint64_t leave_survivor(struct rng *rng, struct block *block)
{
	_Atomic(struct block *) *slot = &survivors[rng_below(rng, TABLE)];

	return block_free(atomic_exchange_explicit(slot, block, memory_order_acq_rel));
}

static uint64_t one_burst(struct rng *rng)
{
	struct block *blocks[BURST];
	uint64_t sum = 0;

	for (unsigned i = 0; i < BURST; i++)
		blocks[i] = block_new(burst_size(rng), rng_next(rng));
	for (unsigned i = 0; i < BURST; i++) {
		unsigned pick = i + rng_below(rng, BURST - i);
		struct block *block = blocks[pick];

		blocks[pick] = blocks[i];
		sum += i & 1 ? leave_survivor(rng, block) : block_free(block);
	}
	return sum;
}

static uint64_t live(unsigned index, void *arg)
{
	const struct generation *generation = arg;
	const struct workload_params *params = generation->params;
	struct rng rng = rng_make(params->seed, generation->number * params->threads + index);
	uint64_t sum = 0;

	for (unsigned i = 0; i < BURSTS_PER_LIFE; i++)
		sum += one_burst(&rng);
	return sum;
}

static uint64_t run(const struct workload_params *params)
{
	uint64_t generations = params->ops / (BURST * BURSTS_PER_LIFE) / params->threads + 1;
	uint64_t sum = 0;

	for (uint64_t number = 0; number < generations; number++) {
		struct generation generation = {params, number};

		sum += threads_run(params->threads, live, &generation);
	}
	for (unsigned i = 0; i < TABLE; i++)
		sum += block_free(atomic_load_explicit(&survivors[i], memory_order_relaxed));
	return sum;
}

const struct workload workload = {
	.about = "bursts by short-lived threads; strangers free the survivors",
	.defaults = {.ops = 20000000},
	.run = run,
};
