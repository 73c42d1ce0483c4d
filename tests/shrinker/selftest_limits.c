/* SPDX-License-Identifier: MIT */
/* memory.high, memory.max and memory.peak, as test_memcontrol.c of the kernel tests them. */
#include <cgslab/slab.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>

#include "tests/shrinker/cg.h"
#include "tests/shrinker/hoard.h"

static struct mem_cgroup *memcg;
static struct hoard *hoard;
static struct pinned *pinned;

static void begin(void)
{
	hoards_begin(0);
	memcg = cg_create(NULL, "memcg");
	hoard = hoard_create(memcg);
}

static void end(void)
{
	unpin(&pinned);
	hoard_destroy(hoard);
	cg_destroy(memcg);
	hoards_end();
	cr_expect_eq(mem_cgroup_verify(mem_cgroup_root(), NULL), 0);
}

static uint64_t events(const char *key)
{
	return cg_read_key(memcg, "memory.events", key);
}

/* ---- memory.high --------------------------------------------------------------- */

/* Who cannot be reclaimed is slowed down, and gets what he wants all the same. */
Test(limits, high_more_is_granted, .init = begin, .fini = end)
{
	cg_write(memcg, "memory.high", "30M");
	cr_expect_eq(pin(memcg, MB(31), GFP_KERNEL, &pinned), MB(31));
	cr_expect_geq(cg_current(memcg), MB(31));
	cr_expect_geq(events("high"), 1);
	cr_expect_eq(events("max"), 0);
	cr_expect_eq(events("oom"), 0);
}

Test(limits, high_what_can_be_reclaimed_stays_below, .init = begin, .fini = end)
{
	cg_write(memcg, "memory.high", "30M");
	cr_expect_eq(hoard_fill(hoard, MB(50), GFP_KERNEL), MB(50));
	cr_expect(values_close(cg_current(memcg), MB(30), 5), "%" PRIu64, cg_current(memcg));
	cr_expect_geq(events("high"), 1);
	cr_expect_eq(events("max"), 0);
}

/* A hundred thousand objects, and high comes down on them. */
Test(limits, high_falls, .init = begin, .fini = end)
{
	const uint64_t all = 100000 * HOARD_OBJECT;
	char value[24];

	cr_assert_eq(hoard_fill(hoard, all, GFP_KERNEL), all);
	for (uint64_t percent = 90; percent >= 10; percent -= 10) {
		uint64_t high = all / 100 * percent;

		snprintf(value, sizeof(value), "%" PRIu64, high);
		cg_write(memcg, "memory.high", value);
		cr_expect(values_close(cg_current(memcg), high, 3), "%" PRIu64 " at %" PRIu64,
			  cg_current(memcg), high);
		cr_expect(values_close(hoard_objects(hoard) * HOARD_OBJECT, high, 3));
	}
	cr_expect_leq(hoard_objects(hoard), 10000);
	cr_expect_geq(hoard_objects(hoard), 9000);
}

/* ---- memory.max ------------------------------------------------------------------ */

Test(limits, max_more_is_refused, .init = begin, .fini = end)
{
	uint64_t got;

	cg_write(memcg, "memory.max", "30M");
	got = pin(memcg, MB(100), GFP_KERNEL, &pinned);
	cr_expect_geq(got, MB(29));
	cr_expect_leq(got, MB(30));
	cr_expect_leq(cg_current(memcg), MB(30));
	cr_expect_geq(events("max"), 1);
	cr_expect_geq(events("oom"), 1);
}

Test(limits, max_what_can_be_reclaimed_stays_below, .init = begin, .fini = end)
{
	cg_write(memcg, "memory.max", "30M");
	for (int i = 0; i < 500; i++) {
		cr_expect_eq(hoard_fill(hoard, MB(1) / 10 & ~4095ul, GFP_KERNEL),
			     MB(1) / 10 & ~4095ul);
		cr_assert_leq(cg_current(memcg), MB(30));
	}
	cr_expect_geq(cg_current(memcg), MB(29), "no more than needed was given");
	cr_expect_geq(events("max"), 1);
	cr_expect_eq(events("oom"), 0);
	cr_expect_leq(cg_read_key(memcg, "memory.peak", NULL), MB(30));
}

/* Not the kernel's: many at one limit, who all have something, take nothing for an end. */
#define THREADS 8

static gfp_t many_gfp;

static void *fill_child(void *arg)
{
	struct hoard *mine = arg;
	bool kept = true, granted = true;

	for (int i = 0; i < 80; i++) {
		granted &= hoard_fill(mine, MB(1) / 4, many_gfp) == MB(1) / 4;
		kept &= cg_current(memcg) <= MB(16);
	}
	return granted && kept ? mine : NULL;
}

static void fill_from_many(gfp_t gfp)
{
	struct mem_cgroup *children[THREADS];
	struct hoard *hoards[THREADS];
	pthread_t threads[THREADS];
	char name[16];
	void *all;

	many_gfp = gfp;
	cg_write(memcg, "memory.max", "16M");
	for (int i = 0; i < THREADS; i++) {
		snprintf(name, sizeof(name), "child-%d", i % THREADS);
		children[i] = cg_create(memcg, name);
		hoards[i] = hoard_create(children[i]);
	}
	for (int i = 0; i < THREADS; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, fill_child, hoards[i]), 0);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &all);
		cr_expect_not_null(all, "thread %d", i);
	}
	cr_expect_eq(events("oom"), 0);
	cr_expect_geq(cg_current(memcg), MB(12), "%" PRIu64, cg_current(memcg));
	for (int i = 0; i < THREADS; i++) {
		hoard_destroy(hoards[i]);
		cg_destroy(children[i]);
	}
}

Test(limits, max_of_many_threads, .init = begin, .fini = end)
{
	fill_from_many(GFP_KERNEL);
}

/* All of it done by the one reclaim thread. */
Test(limits, max_of_many_threads_in_malloc, .init = begin, .fini = end)
{
	fill_from_many(GFP_NOFS);
}

Test(limits, max_falls, .init = begin, .fini = end)
{
	cr_assert_eq(hoard_fill(hoard, MB(50), GFP_KERNEL), MB(50));
	cr_assert_eq(pin(memcg, MB(10), GFP_KERNEL, &pinned), MB(10));
	cg_write(memcg, "memory.max", "30M");
	cr_expect_leq(cg_current(memcg), MB(30));
	cr_expect_geq(cg_current(memcg), MB(29));
	cg_write(memcg, "memory.max", "5M");
	cr_expect_eq(hoard_objects(hoard), 0, "all that there was");
	cr_expect_geq(cg_current(memcg), MB(10), "and the rest stays");
}

/* ---- memory.peak -------------------------------------------------------------------- */

Test(limits, peak_of_all_times, .init = begin, .fini = end)
{
	cr_assert_eq(hoard_fill(hoard, MB(50), GFP_KERNEL), MB(50));
	cr_expect(cg_reclaim_until(memcg, MB(10)));
	cr_expect_geq(cg_read_key(memcg, "memory.peak", NULL), MB(50));
	cr_expect_leq(cg_read_key(memcg, "memory.peak", NULL), MB(51));
}
