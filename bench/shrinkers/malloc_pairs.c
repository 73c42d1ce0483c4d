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

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void print_median(const char *name, double *values, unsigned nr)
{
	qsort(values, nr, sizeof(*values), compare_doubles);
	measure_print(name, values[nr / 2]);
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
	print_median("without_ns", without_ns, turns);
	print_median("again_ns", again_ns, turns);
	print_median("with_ns", with_ns, turns);
	print_median("noise", noise, turns);
	print_median("overhead", overhead, turns);
	return 0;
}

const struct workload workload = {
	.about = "a malloc and its free, with shrinkers registered and without",
	.defaults = {.ops = 4000000},
	.run = run,
};
