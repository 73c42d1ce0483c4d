/* SPDX-License-Identifier: MIT */
/*
 * Entering a group and leaving it, beside a malloc of 64 bytes and its free: CPU time of --ops of
 * each, by turns of a few thousand, so that both see the same machine. Medians.
 */
#include <stdlib.h>

#include <cgslab/memcg.h>

#include "bench/workloads/measure.h"
#include "bench/workloads/workload.h"

#define TURN	  4096u
#define TURNS_MAX 10000u

static double pair_ns[TURNS_MAX], switch_ns[TURNS_MAX], ratios[TURNS_MAX];
static void *volatile hidden; /* so that the pair is not optimised away */

static double time_pairs(void)
{
	double start = measure_thread_seconds();

	for (unsigned i = 0; i < TURN; i++) {
		hidden = malloc(64);
		free(hidden);
	}
	return (measure_thread_seconds() - start) * 1e9 / TURN;
}

static double time_switches(struct mem_cgroup *group)
{
	double start = measure_thread_seconds();

	for (unsigned i = 0; i < TURN; i++)
		set_active_memcg(set_active_memcg(group));
	return (measure_thread_seconds() - start) * 1e9 / TURN;
}

static uint64_t run(const struct workload_params *params)
{
	struct mem_cgroup *group = mem_cgroup_create(NULL, "group");
	unsigned turns = (unsigned)(params->ops / TURN) + 1;

	if (!group || turns > TURNS_MAX)
		workload_fail("cannot begin");
	time_pairs(); /* to be warm */
	time_switches(group);
	for (unsigned i = 0; i < turns; i++) {
		pair_ns[i] = time_pairs();
		switch_ns[i] = time_switches(group);
		ratios[i] = switch_ns[i] / pair_ns[i];
	}
	measure_print("pair_ns", measure_median(pair_ns, turns));
	measure_print("switch_ns", measure_median(switch_ns, turns));
	measure_print("switch_vs_malloc_pair", measure_median(ratios, turns));
	return 0;
}

const struct workload workload = {
	.about = "entering a group and leaving it, beside a malloc and its free",
	.defaults = {.ops = 4000000},
	.run = run,
};
