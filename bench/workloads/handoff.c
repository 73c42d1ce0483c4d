/* SPDX-License-Identifier: MIT */
/*
 * Producers and consumers: in every pair one thread only allocates and the other only
 * frees; after each phase they change places.
 */
#include <pthread.h>

#include "bench/workloads/block.h"
#include "bench/workloads/rng.h"
#include "bench/workloads/threads.h"
#include "bench/workloads/workload.h"

#define BATCH	      128
#define DEPTH	      16  /* batches on the way at most */
#define PHASE_BATCHES 256 /* batches before the roles change */

struct batch {
	struct block *blocks[BATCH];
};

struct channel {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned head, count;	   /* lock */
	struct batch queue[DEPTH]; /* lock */
};

/* One a pair and direction: a phase may begin before the other side has ended the last. */
static struct channel channels[WORKLOAD_MAX_THREADS / 2][2];

static void channel_put(struct channel *channel, const struct batch *batch)
{
	pthread_mutex_lock(&channel->lock);
	while (channel->count == DEPTH)
		pthread_cond_wait(&channel->changed, &channel->lock);
	channel->queue[(channel->head + channel->count++) % DEPTH] = *batch;
	pthread_cond_signal(&channel->changed);
	pthread_mutex_unlock(&channel->lock);
}

static void channel_take(struct channel *channel, struct batch *batch)
{
	pthread_mutex_lock(&channel->lock);
	while (!channel->count)
		pthread_cond_wait(&channel->changed, &channel->lock);
	*batch = channel->queue[channel->head];
	channel->head = (channel->head + 1) % DEPTH;
	channel->count--;
	pthread_cond_signal(&channel->changed);
	pthread_mutex_unlock(&channel->lock);
}

static void produce(struct channel *channel, struct rng *rng)
{
	struct batch batch;

	for (unsigned n = 0; n < PHASE_BATCHES; n++) {
		for (unsigned i = 0; i < BATCH; i++)
			batch.blocks[i] = block_new(rng_between(rng, 16, 256), rng_next(rng));
		channel_put(channel, &batch);
	}
}

static uint64_t consume(struct channel *channel)
{
	struct batch batch;
	uint64_t sum = 0;

	for (unsigned n = 0; n < PHASE_BATCHES; n++) {
		channel_take(channel, &batch);
		sum += block_free_all(batch.blocks, BATCH);
	}
	return sum;
}

static uint64_t take_part(unsigned index, void *arg)
{
	const struct workload_params *params = arg;
	unsigned pairs = (params->threads + 1) / 2;
	uint64_t phases = params->ops / pairs / (PHASE_BATCHES * BATCH) + 1;
	struct rng rng = rng_make(params->seed, index);
	uint64_t sum = 0;

	for (uint64_t phase = 0; phase < phases; phase++) {
		struct channel *channel = &channels[index / 2][phase & 1];

		if ((index ^ phase) & 1)
			sum += consume(channel);
		else
			produce(channel, &rng);
	}
	return sum;
}

static uint64_t run(const struct workload_params *params)
{
	unsigned pairs = (params->threads + 1) / 2;

	for (unsigned i = 0; i < 2 * pairs; i++) {
		pthread_mutex_init(&channels[i / 2][i & 1].lock, NULL);
		pthread_cond_init(&channels[i / 2][i & 1].changed, NULL);
	}
	return threads_run(2 * pairs, take_part, (void *)params);
}

const struct workload workload = {
	.about = "one thread allocates, another frees; they change places now and then",
	.defaults = {.ops = 16000000},
	.run = run,
};
