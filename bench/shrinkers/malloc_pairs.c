/* SPDX-License-Identifier: MIT */
/*
 * A malloc of 64 bytes and its free, in a group with a limit that is far away: without any
 * shrinker, and with SHRINKERS registered, which have objects in the group. --ops pairs of each,
 * by turns of a few thousand. Medians: "again" is the same as "without", for the noise.
 */
#include <stdbool.h>
#include <stdlib.h>

#include <cgslab/shrinker.h>

#include "bench/workloads/measure.h"
#include "bench/workloads/workload.h"

#define SHRINKERS 100u
#define LIMIT	  (1ULL << 30)
#define BATCH	  256u
#define BATCHES	  64u /* in a turn */
#define TURNS_MAX 10000u

static struct shrinker *shrinkers[SHRINKERS];
static double without_ns[TURNS_MAX], again_ns[TURNS_MAX], with_ns[TURNS_MAX];
static double noise[TURNS_MAX], overhead[TURNS_MAX];

static unsigned long count(struct shrinker *shrinker, struct shrink_control *sc)
{
	(void)shrinker;
	(void)sc;
	return 1000;
}

/* There is no pressure. */
static unsigned long scan(struct shrinker *shrinker, struct shrink_control *sc)
{
	(void)shrinker;
	(void)sc;
	workload_fail("a shrinker was called");
}

static void add_shrinkers(struct mem_cgroup *memcg)
{
	for (unsigned i = 0; i < SHRINKERS; i++) {
		shrinkers[i] =
			shrinker_alloc(SHRINKER_MEMCG_AWARE | SHRINKER_MALLOC_SAFE, "bench-%u", i);
		if (!shrinkers[i])
			workload_fail("cannot make a shrinker");
		shrinkers[i]->count_objects = count;
		shrinkers[i]->scan_objects = scan;
		shrinker_register(shrinkers[i]);
		set_shrinker_bit(memcg, shrinkers[i]->id);
	}
}

static void remove_shrinkers(void)
{
	for (unsigned i = 0; i < SHRINKERS; i++)
		shrinker_free(shrinkers[i]);
}

static double time_pairs(void)
{
	static void *blocks[BATCH];
	double start = measure_thread_seconds();

	for (unsigned batch = 0; batch < BATCHES; batch++) {
		for (unsigned i = 0; i < BATCH; i++)
			blocks[i] = malloc(64);
		for (unsigned i = 0; i < BATCH; i++)
			free(blocks[i]);
	}
	return (measure_thread_seconds() - start) * 1e9 / (BATCH * BATCHES);
}

/* Each turn begins the same way, so that what went before is the same. */
static double time_with(struct mem_cgroup *memcg, bool registered)
{
	double ns;

	add_shrinkers(memcg);
	if (!registered)
		remove_shrinkers();
	time_pairs(); /* to be warm */
	ns = time_pairs();
	if (registered)
		remove_shrinkers();
	return ns;
}

static uint64_t run(const struct workload_params *params)
{
	struct mem_cgroup *memcg = mem_cgroup_create(NULL, "group"), *before;
	unsigned turns = (unsigned)(params->ops / (BATCH * BATCHES)) + 1;

	if (!memcg || mem_cgroup_set_max(memcg, LIMIT) || turns > TURNS_MAX)
		workload_fail("cannot begin");
	before = set_active_memcg(memcg);
	for (unsigned i = 0; i < turns; i++) {
		without_ns[i] = time_with(memcg, false);
		with_ns[i] = time_with(memcg, true);
		again_ns[i] = time_with(memcg, false);
		noise[i] = again_ns[i] / without_ns[i];
		overhead[i] = with_ns[i] / without_ns[i];
	}
	set_active_memcg(before);
	measure_print("without_ns", measure_median(without_ns, turns));
	measure_print("again_ns", measure_median(again_ns, turns));
	measure_print("with_ns", measure_median(with_ns, turns));
	measure_print("noise", measure_median(noise, turns));
	measure_print("overhead", measure_median(overhead, turns));
	return 0;
}

const struct workload workload = {
	.about = "a malloc and its free, with shrinkers registered and without",
	.defaults = {.ops = 4000000},
	.run = run,
};
