/* SPDX-License-Identifier: MIT */
/* memory.high: who is slowed down, and by how much. */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <urcu-bp.h>

#include <cgslab/slab.h>

#include "accounting/high.h"
#include "accounting/obj_stock.h"
#include "accounting/reclaim_ops.h"
#include "tests/accounting/pantry.h"

#define HIGH (4ul << 20)

static struct mem_cgroup *memcg;
static int told;		   /* times that high_exceeded() was called */
static struct mem_cgroup *told_of; /* last */

static void note(struct mem_cgroup *group)
{
	told++;
	told_of = group;
}

static void make(void)
{
	memcg = mem_cgroup_create(NULL, "high");
	cr_assert_not_null(memcg);
	cr_assert_eq(mem_cgroup_set_high(memcg, HIGH), 0);
	reclaim_ops.high_exceeded = note;
	set_active_memcg(memcg);
}

static void check(void)
{
	reclaim_ops.high_exceeded = NULL;
	pantry_close();
	cr_expect_eq(mem_cgroup_verify(mem_cgroup_root(), NULL), 0);
}

static uint64_t highs(struct mem_cgroup *group)
{
	return mem_cgroup_event(group, MEMCG_EVENT_HIGH);
}

/* Milliseconds that @fn takes. */
static uint64_t time_of(void (*fn)(void))
{
	uint64_t begin = os_clock_ms();

	fn();
	return os_clock_ms() - begin;
}

/* ---- The delay ------------------------------------------------------------------ */

Test(high, the_delay_grows_with_the_square)
{
	cr_expect_eq(memcg_high_delay(1000, 1000, 64), 0);
	cr_expect_eq(memcg_high_delay(999, 1000, 64), 0);
	/* Of the kernel's table in mm/memcontrol.c: usage above 100M, delay for a batch. */
	cr_expect_eq(memcg_high_delay(100 * 256, 100 * 256, 64), 0);
	cr_expect_eq(memcg_high_delay(101 * 256, 100 * 256, 64), 6);
	cr_expect_eq(memcg_high_delay(102 * 256, 100 * 256, 64), 25);
	cr_expect_eq(memcg_high_delay(103 * 256, 100 * 256, 64), 57);
	cr_expect_eq(memcg_high_delay(104 * 256, 100 * 256, 64), 102);
	cr_expect_eq(memcg_high_delay(106 * 256, 100 * 256, 64), 230);
	cr_expect_eq(memcg_high_delay(110 * 256, 100 * 256, 64), 639);
	cr_expect_eq(memcg_high_delay(115 * 256, 100 * 256, 64), 1439);
	cr_expect_eq(memcg_high_delay(118 * 256, 100 * 256, 64), 2000, "at most");
	cr_expect_eq(memcg_high_delay(110 * 256, 100 * 256, 32), 319, "in proportion");
	cr_expect_eq(memcg_high_delay(1ll << 40, 0, 1), 2000);
	cr_expect_eq(memcg_high_delay(COUNTERS_NO_LIMIT, 1ll << 40, INT64_MAX), 2000);
}

/* ---- Who is slowed down ------------------------------------------------------------ */

static void span(gfp_t gfp)
{
	cr_assert_not_null(kmalloc(HIGH + HIGH / 2, gfp));
}

static void allocate(void)
{
	span(GFP_KERNEL);
}

static void allocate_nofs(void)
{
	span(GFP_NOFS);
}

static void allocate_nowait(void)
{
	span(GFP_NOWAIT);
}

static void allocate_in_read_section(void)
{
	rcu_read_lock();
	span(GFP_KERNEL);
	rcu_read_unlock();
}

static void allocate_noreclaim(void)
{
	unsigned int old = memalloc_noreclaim_save();

	span(GFP_KERNEL);
	memalloc_noreclaim_restore(old);
}

Test(high, who_is_above_is_told_and_sleeps, .init = make, .fini = check)
{
	cr_expect_lt(time_of(allocate_nowait), 100);
	cr_expect_eq(highs(memcg), 1);
	cr_expect_eq(mem_cgroup_event(mem_cgroup_root(), MEMCG_EVENT_HIGH), 1);
	cr_expect_eq(told, 1);
	cr_expect_eq(told_of, memcg);
	cr_expect_lt(time_of(allocate_nofs), 100, "malloc() is not held up");
	cr_expect_eq(highs(memcg), 2);
	cr_expect_lt(time_of(allocate_in_read_section), 100);
	cr_expect_eq(highs(memcg), 3);
	cr_expect_geq(time_of(allocate), 1990);
	cr_expect_eq(highs(memcg), 4);
	cr_expect_eq(told, 4);
	cr_expect_lt(time_of(allocate_noreclaim), 100);
	cr_expect_eq(told, 4, "it is reclaim itself, perhaps");
}

Test(high, malloc_is_held_up_where_that_was_asked_for, .init = make, .fini = check)
{
	memcg_throttle_malloc = true;
	cr_expect_geq(time_of(allocate_nofs), 1990);
	memcg_throttle_malloc = false;
}

Test(high, an_ancestor_counts_as_well, .init = make, .fini = check)
{
	struct mem_cgroup *child = mem_cgroup_create(memcg, "child");

	set_active_memcg(child);
	cr_expect_geq(time_of(allocate), 1990);
	cr_expect_eq(told_of, memcg);
	cr_expect_eq(highs(memcg), 1);
	cr_expect_eq(highs(child), 0);
}

/* Charges of single pages, whose delay is too short to sleep, add up. */
static void allocate_pages(void)
{
	uint64_t end = mem_cgroup_usage(memcg) + (1 << 20);

	while (mem_cgroup_usage(memcg) < end)
		cr_assert_not_null(kmalloc(1024, GFP_KERNEL));
}

Test(high, small_delays_add_up, .init = make, .fini = check)
{
	uint64_t ms;

	cr_assert_not_null(kmalloc(HIGH - (64 << 10), GFP_NOWAIT));
	ms = time_of(allocate_pages);
	/* 240 pages, up to 23% above: the sum is 64 s * 15/16 * 4 * (0.23^2 / 3). */
	cr_expect_gt(ms, 2500, "%lu", (unsigned long)ms);
	cr_expect_lt(ms, 8000, "%lu", (unsigned long)ms);
}

static void *free_soon(void *span_)
{
	os_sleep_us(300000);
	kfree(span_);
	return NULL;
}

static void *other; /* a span */

static void allocate_with_help(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, free_soon, other);
	cr_assert_not_null(kmalloc(HIGH / 2, GFP_KERNEL));
	pthread_join(thread, NULL);
}

Test(high, the_sleep_ends_when_usage_has_fallen, .init = make, .fini = check)
{
	uint64_t ms;

	other = kmalloc(HIGH, GFP_NOWAIT);
	ms = time_of(allocate_with_help);
	cr_expect_geq(ms, 290, "%lu", (unsigned long)ms);
	cr_expect_lt(ms, 1000, "%lu", (unsigned long)ms);
}

/* ---- Reclaim rather than sleep ------------------------------------------------------- */

static void allocate_over_pantry(void)
{
	for (int i = 0; i < 16; i++)
		cr_assert_not_null(kmalloc(PANTRY_BLOCK, GFP_KERNEL));
}

Test(high, what_can_be_reclaimed_is_not_slept_for, .init = make, .fini = check)
{
	pantry_fill(memcg, HIGH / PANTRY_BLOCK);
	pantry_open();
	cr_expect_lt(time_of(allocate_over_pantry), 500);
	cr_expect_gt(pantry_calls, 0);
	cr_expect_leq(mem_cgroup_usage(memcg), HIGH + PANTRY_BLOCK);
	cr_expect_gt(highs(memcg), 0);
}

Test(high, errno_is_kept, .init = make, .fini = check)
{
	errno = 12345;
	allocate_nofs();
	cr_expect_eq(errno, 12345);
}

/* ---- The machine ------------------------------------------------------------------------ */

static int machine_calls;
static gfp_t machine_gfp;

static void note_machine(gfp_t gfp)
{
	machine_calls++;
	machine_gfp = gfp;
}

Test(high, the_root_s_is_the_machine_s, .fini = check)
{
	int64_t usage = root_memcg.memory.level->usage;

	reclaim_ops.machine_high = note_machine;
	WRITE_ONCE(root_memcg.memory.level->high, usage + (int64_t)(HIGH >> PAGE_SHIFT));
	cr_expect_lt(time_of(allocate), 100, "nobody sleeps here");
	cr_expect_eq(machine_calls, 1);
	cr_expect_eq(machine_gfp, GFP_KERNEL);
	allocate_nofs();
	cr_expect_eq(machine_gfp, GFP_NOFS);
	allocate_in_read_section();
	cr_expect_not(machine_gfp & __GFP_DIRECT_RECLAIM);
	cr_expect_eq(machine_calls, 3);
	allocate_noreclaim();
	cr_expect_eq(machine_calls, 3);
	cr_expect_eq(highs(mem_cgroup_root()), 0);
	WRITE_ONCE(root_memcg.memory.level->high, COUNTERS_NO_LIMIT);
	allocate();
	cr_expect_eq(machine_calls, 3);
	reclaim_ops.machine_high = NULL;
}
