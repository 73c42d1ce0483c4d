/* SPDX-License-Identifier: MIT */
#include "shrinker/reclaim.h"

#include <cgslab/slab.h>
#include <cgslab/span.h>
#include <criterion/criterion.h>
#include <inttypes.h>
#include <string.h>

#include "accounting/memalloc.h"
#include "accounting/obj_stock.h"
#include "alloc/base/os.h"
#include "alloc/pages/page_run.h"
#include "alloc/slab/heap.h"
#include "tests/shrinker/cg.h"
#include "tests/shrinker/hoard.h"
#include "tests/shrinker/toy.h"

#define BATCH 128 /* pages of as many objects: by so much more may be freed than was asked */

static struct mem_cgroup *a, *b;
static struct hoard *hoard_a, *hoard_b;

static void begin_with(unsigned int flags)
{
	hoards_begin(flags);
	a = cg_create(NULL, "a");
	b = cg_create(a, "b");
	hoard_a = hoard_create(a);
	hoard_b = hoard_create(b);
}

static void begin(void)
{
	begin_with(0);
}

static void end(void)
{
	hoard_destroy(hoard_b);
	hoard_destroy(hoard_a);
	cg_destroy(b);
	cg_destroy(a);
	hoards_end();
	cr_expect_eq(mem_cgroup_verify(mem_cgroup_root(), NULL), 0);
}

static void fill(struct hoard *hoard, unsigned int mb)
{
	cr_assert_eq(hoard_fill(hoard, MB(mb), GFP_KERNEL), MB(mb));
}

static int64_t usage(struct mem_cgroup *memcg)
{
	return (int64_t)(mem_cgroup_usage(memcg) >> PAGE_SHIFT);
}

/* ---- How much ------------------------------------------------------------------- */

Test(reclaim, stops_at_the_goal, .init = begin, .fini = end)
{
	int64_t before, freed;

	fill(hoard_a, 40);
	memcg_drain_stocks(a);
	for (int64_t goal = 1; goal < 4096; goal *= 4) {
		before = usage(a);
		freed = try_to_free_mem_cgroup_pages(a, goal, GFP_KERNEL);
		cr_expect_eq(freed, before - usage(a), "it says what it did");
		cr_expect(freed >= goal && freed < goal + BATCH, "%" PRId64 " of %" PRId64, freed,
			  goal);
	}
	cr_expect(hoards_scanned_by_me());
}

Test(reclaim, gives_all_there_is, .init = begin, .fini = end)
{
	fill(hoard_b, 2);
	memcg_drain_stocks(a);
	cr_expect_eq(try_to_free_mem_cgroup_pages(a, 10000, GFP_KERNEL), 512);
	cr_expect_eq(hoard_objects(hoard_b), 0);
	cr_expect_eq(try_to_free_mem_cgroup_pages(a, 1, GFP_KERNEL), 0);
}

/* Where there is nothing it costs one look, and then none. */
Test(reclaim, does_not_try_harder_where_nothing_is, .init = begin, .fini = end)
{
	struct pinned *pinned = NULL;
	unsigned long counted;

	pin(a, MB(1), GFP_KERNEL, &pinned);
	fill(hoard_a, 1);
	while (hoard_objects(hoard_a))
		try_to_free_mem_cgroup_pages(a, 1, GFP_KERNEL);
	try_to_free_mem_cgroup_pages(a, 1, GFP_KERNEL);
	counted = hoards_counted();
	for (int i = 0; i < 10; i++)
		cr_expect_eq(try_to_free_mem_cgroup_pages(a, 1, GFP_KERNEL), 0);
	cr_expect_eq(hoards_counted(), counted);
	unpin(&pinned);
}

/* ---- Of whom ----------------------------------------------------------------------- */

Test(reclaim, stays_within_the_subtree, .init = begin, .fini = end)
{
	fill(hoard_a, 2);
	fill(hoard_b, 2);
	try_to_free_mem_cgroup_pages(b, 10000, GFP_KERNEL);
	cr_expect_eq(hoard_objects(hoard_b), 0);
	cr_expect_eq(hoard_objects(hoard_a), 512);
}

Test(reclaim, min_is_never_taken, .init = begin, .fini = end)
{
	fill(hoard_a, 2);
	fill(hoard_b, 8);
	cg_write(b, "memory.min", "5M");
	try_to_free_mem_cgroup_pages(a, 10000, GFP_KERNEL);
	cr_expect_eq(hoard_objects(hoard_a), 0);
	cr_expect_geq(cg_current(b), MB(5));
	cr_expect_leq(cg_current(b), MB(5) + BATCH * PAGE_SIZE, "%" PRIu64, cg_current(b));
	cr_expect_eq(cg_read_key(b, "memory.events", "low"), 0);
	try_to_free_mem_cgroup_pages(b, 10000, GFP_KERNEL);
	cr_expect_eq(hoard_objects(hoard_b), 0, "of the group itself it is");
}

Test(reclaim, low_is_taken_last, .init = begin, .fini = end)
{
	fill(hoard_a, 4);
	fill(hoard_b, 4);
	cg_write(b, "memory.low", "4M");
	memcg_drain_stocks(a);
	for (int i = 0; i < 6; i++)
		cr_expect_gt(try_to_free_mem_cgroup_pages(a, 64, GFP_KERNEL), 0);
	cr_expect_eq(hoard_objects(hoard_b), 1024);
	cr_expect_eq(cg_read_key(b, "memory.events", "low"), 0);
	while (hoard_objects(hoard_a))
		try_to_free_mem_cgroup_pages(a, 64, GFP_KERNEL);
	cr_expect_gt(try_to_free_mem_cgroup_pages(a, 64, GFP_KERNEL), 0);
	cr_expect_geq(cg_read_key(b, "memory.events", "low"), 1);
	cr_expect_lt(hoard_objects(hoard_b), 1024);
}

/* ---- Shrinkers that know no groups ----------------------------------------------------- */

Test(reclaim, of_the_process_calls_all_shrinkers, .init = begin, .fini = end)
{
	struct toy toy = {.objects = 1000};
	struct mem_cgroup *process = mem_cgroup_parent(a);

	fill(hoard_a, 1);
	toy_start(&toy, 0, "toy");
	try_to_free_mem_cgroup_pages(a, 1, GFP_KERNEL);
	cr_expect_eq(toy.counts, 0, "they are not of the group");
	cr_expect_gt(try_to_free_mem_cgroup_pages(process, 10000, GFP_KERNEL), 0);
	cr_expect_eq(toy.objects, 0);
	cr_expect_null(toy.memcg);
	toy.objects = 1000;
	cr_expect_gt(try_to_free_mem_cgroup_pages(mem_cgroup_root(), 10000, GFP_KERNEL), 0);
	cr_expect_eq(toy.objects, 0);
	toy_end(&toy);
}

/* ---- When not --------------------------------------------------------------------------- */

Test(reclaim, not_where_it_is_not_wanted, .init = begin, .fini = end)
{
	unsigned int flags;

	fill(hoard_a, 2);
	cr_expect_eq(try_to_free_mem_cgroup_pages(a, 100, GFP_NOWAIT), 0);
	flags = memalloc_noreclaim_save();
	cr_expect_eq(try_to_free_mem_cgroup_pages(a, 100, GFP_KERNEL), 0);
	memalloc_noreclaim_restore(flags);
	cr_expect_eq(hoards_counted(), 0);
	cr_expect_geq(try_to_free_mem_cgroup_pages(a, 100, GFP_KERNEL), 100);
}

static int64_t within;

static void reclaim_within(struct toy *toy, struct shrink_control *sc)
{
	(void)toy;
	(void)sc;
	within = try_to_free_mem_cgroup_pages(a, 100, GFP_KERNEL);
}

Test(reclaim, not_within_a_callback, .init = begin, .fini = end)
{
	struct toy toy = {.objects = 1000, .during = reclaim_within};

	fill(hoard_a, 2);
	toy_start(&toy, SHRINKER_MEMCG_AWARE, "toy");
	set_shrinker_bit(b, toy.shrinker->id);
	within = -1;
	fill(hoard_b, 1);
	try_to_free_mem_cgroup_pages(b, 10000, GFP_KERNEL);
	cr_expect_eq(within, 0);
	cr_expect_eq(hoard_objects(hoard_a), 512);
	toy_end(&toy);
}

/* ---- For the machine ---------------------------------------------------------------------- */

static int64_t resident(void)
{
	struct page_run_stats stats;

	page_runs_stats(&stats);
	return (int64_t)(stats.used + stats.dirty);
}

/* Megabytes that nobody uses, in page runs, empty slabs and a parked heap. */
static void make_spare(void)
{
	struct pinned *pinned = NULL;
	void *large[8];

	for (int i = 0; i < 8; i++)
		large[i] = kzalloc(MB(1), GFP_KERNEL);
	for (int i = 0; i < 8; i++)
		kfree(large[i]);
	pin(b, MB(1), GFP_KERNEL, &pinned);
	unpin(&pinned);
}

Test(reclaim, for_the_machine_takes_what_is_spare_first, .init = begin, .fini = end)
{
	struct page_run_stats stats;
	int64_t before, freed;

	fill(hoard_a, 8);
	make_spare();
	page_runs_stats(&stats);
	cr_assert_geq(stats.dirty, 1024, "%zu", stats.dirty);
	before = resident();
	freed = reclaim_machine(512);
	cr_expect_geq(freed, 512);
	cr_expect_eq(freed, before - resident());
	cr_expect_eq(hoard_objects(hoard_a), 2048, "no shrinker had to give");
}

Test(reclaim, for_the_machine_goes_on_to_shrinkers, .init = begin, .fini = end)
{
	struct page_run_stats stats;
	int64_t before;

	fill(hoard_a, 32);
	make_spare();
	page_runs_stats(&stats);
	before = resident();
	cr_expect_geq(reclaim_machine((int64_t)stats.dirty + 4096), (int64_t)stats.dirty + 4096);
	cr_expect_leq(resident(), before - (int64_t)stats.dirty - 4096);
	cr_expect_lt(hoard_objects(hoard_a), 4200);
	page_runs_stats(&stats);
	cr_expect_eq(stats.dirty, 0, "all of it is the kernel's");
}

/* Charges do not fall by it, so they are no reason to take it. */
Test(reclaim, for_a_group_leaves_what_is_spare, .init = begin, .fini = end)
{
	struct page_run_stats stats, after;

	cr_expect_geq(reclaim_machine(1), 0); /* it is known */
	fill(hoard_a, 1);
	make_spare();
	page_runs_stats(&stats);
	try_to_free_mem_cgroup_pages(mem_cgroup_parent(a), 10000, GFP_KERNEL);
	page_runs_stats(&after);
	cr_expect_geq(after.dirty, stats.dirty);
	try_to_free_mem_cgroup_pages(mem_cgroup_root(), 10000, GFP_KERNEL);
	page_runs_stats(&after);
	cr_expect_lt(after.dirty, stats.dirty / 2);
}

/* ---- Compaction ------------------------------------------------------------- */

#define SPANS 32

static size_t highest(struct span **spans)
{
	size_t top = 0;

	for (int i = 0; i < SPANS; i += 4) {
		size_t start = (size_t)span_pin(spans[i]);

		span_unpin(spans[i]);
		if (start > top)
			top = start;
	}
	return top;
}

/* What cannot be freed may be moved, if more is wanted than what shrinkers give. */
Test(reclaim, for_the_machine_compacts, .init = begin, .fini = end)
{
	struct span *spans[SPANS];
	size_t top;

	for (int i = 0; i < SPANS; i++) {
		spans[i] = span_alloc(MB(1) / 2, GFP_KERNEL);
		memset(span_pin(spans[i]), i, MB(1) / 2);
		span_unpin(spans[i]);
	}
	for (int i = 0; i < SPANS; i++)
		if (i % 4)
			span_put(spans[i]);
	top = highest(spans);
	cr_expect_gt(reclaim_machine(1), 0);
	cr_expect_eq(highest(spans), top, "there was no need");
	reclaim_machine(100000);
	cr_expect_lt(highest(spans), top - MB(4));
	for (int i = 0; i < SPANS; i += 4) {
		const char *data = span_pin(spans[i]);

		cr_expect(data[0] == i && !memcmp(data, data + 1, MB(1) / 2 - 1));
		span_unpin(spans[i]);
		span_put(spans[i]);
	}
}
