/* SPDX-License-Identifier: MIT */
/*
 * What groups cost when there are --live of them.
 *
 *	memory	what is resident for a group: one that is empty, and one that holds 10 objects of
 *each of five sizes
 *	visits	CPU time of --ops visits: a thread enters a group, replaces an object of each size
 *and leaves. First the same 64 groups again and again, then any life	CPU time of all threads for
 *making a group and removing it: unused, and with an allocation and its free in between
 */
#include <stdlib.h>
#include <string.h>

#include "bench/ways/way.h"
#include "bench/workloads/block.h"
#include "bench/workloads/measure.h"
#include "bench/workloads/rng.h"
#include "bench/workloads/workload.h"

#define SIZES	5u
#define OF_SIZE 10u
#define HOT	64u

static const size_t sizes[SIZES] = {16, 48, 96, 192, 512};

struct group {
	struct block *objects[SIZES][OF_SIZE];
};

static struct group *groups;

enum { MEMORY, VISIT, LIFE };

static struct block *new_object(unsigned size, struct rng *rng)
{
	return block_mark(way_alloc(sizes[size]), sizes[size], rng_next(rng));
}

static uint64_t free_object(struct block *block, unsigned group)
{
	uint64_t sum = block_check(block);

	way_free(block, group);
	return sum;
}

static void fill(unsigned group, struct rng *rng)
{
	way_enter(group);
	for (unsigned size = 0; size < SIZES; size++)
		for (unsigned i = 0; i < OF_SIZE; i++)
			groups[group].objects[size][i] = new_object(size, rng);
	way_leave();
}

static uint64_t empty(unsigned group)
{
	uint64_t sum = 0;

	way_enter(group);
	for (unsigned size = 0; size < SIZES; size++)
		for (unsigned i = 0; i < OF_SIZE; i++)
			sum += free_object(groups[group].objects[size][i], group);
	way_leave();
	return sum;
}

static uint64_t visit(unsigned group, struct rng *rng)
{
	uint32_t which = rng_next(rng);
	uint64_t sum = 0;

	way_enter(group);
	for (unsigned size = 0; size < SIZES; size++) {
		struct block **place = &groups[group].objects[size][(which >> size) % OF_SIZE];

		sum += free_object(*place, group);
		*place = new_object(size, rng);
	}
	way_leave();
	return sum;
}

static uint64_t visits(const char *name, unsigned first, unsigned count, unsigned stride,
		       uint64_t ops, struct rng *rng)
{
	double start;
	uint64_t sum = 0;

	/* To be warm. */
	for (unsigned i = 0; i < count; i++)
		sum += visit(first + i * stride, rng);
	start = measure_thread_seconds();
	for (uint64_t op = 0; op < ops; op++)
		sum += visit(first + rng_below(rng, count) * stride, rng);
	if (ops)
		measure_print(name, (measure_thread_seconds() - start) * 1e9 / (double)ops);
	return sum;
}

static uint64_t run_visits(unsigned live, uint64_t ops, struct rng *rng)
{
	unsigned hot = live < HOT ? live : HOT, stride = live / hot;
	uint64_t sum = 0;

	/* Those that lie between the hot ones are there, and not used. */
	sum += visits("hot_ns", stride / 2, hot, stride, ops, rng);
	sum += visits("cold_ns", 0, live, 1, ops, rng);
	return sum;
}

static void live_once(unsigned tenant, bool used)
{
	way_create(tenant);
	if (used) {
		void *object;

		way_enter(tenant);
		object = way_alloc(64);
		way_free(object, tenant);
		way_leave();
	}
	way_destroy(tenant);
}

static void run_lives(const char *name, unsigned tenant, uint64_t lives, bool used)
{
	double start = measure_process_seconds();

	for (uint64_t i = 0; i < lives; i++)
		live_once(tenant, used);
	measure_print(name, (measure_process_seconds() - start) * 1e9 / (double)lives);
}

static void create_all(unsigned live)
{
	double before = (double)measure_rss_bytes(), start = measure_process_seconds();

	for (unsigned i = 0; i < live; i++)
		way_create(i);
	measure_print("create_ns", (measure_process_seconds() - start) * 1e9 / live);
	measure_print("empty_group_bytes", ((double)measure_rss_bytes() - before) / live);
}

static void fill_all(unsigned live, struct rng *rng)
{
	double payload = 0;

	for (unsigned i = 0; i < SIZES; i++)
		payload += OF_SIZE * (double)sizes[i];
	for (unsigned i = 0; i < live; i++)
		fill(i, rng);
	measure_print("payload_bytes", payload);
}

static uint64_t remove_all(unsigned live)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < live; i++) {
		sum += empty(i);
		way_destroy(i);
	}
	return sum;
}

static uint64_t run(const struct workload_params *params)
{
	unsigned live = (unsigned)params->live;
	struct rng rng = rng_make(params->seed, 0);
	uint64_t sum = 0;
	double before;

	groups = malloc(live * sizeof(*groups));
	if (!groups)
		workload_fail("out of memory");
	memset(groups, 1, live * sizeof(*groups)); /* resident from now on */
	way_start(live + 1, WAY_NO_LIMIT);
	before = (double)measure_rss_bytes();
	create_all(live);
	if (params->mode == LIFE) {
		run_lives("life_ns", live, params->ops, false);
		run_lives("used_life_ns", live, params->ops, true);
		return 0;
	}
	fill_all(live, &rng);
	measure_print("group_bytes", ((double)measure_rss_bytes() - before) / live);
	if (params->mode == VISIT)
		sum = run_visits(live, params->ops, &rng);
	sum += remove_all(live);
	free(groups);
	return sum;
}

const struct workload workload = {
	.about = "what --live groups cost",
	.modes = {"memory", "visits", "life"},
	.defaults = {.ops = 100000, .live = 1000},
	.run = run,
};
