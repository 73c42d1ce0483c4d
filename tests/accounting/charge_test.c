/* SPDX-License-Identifier: MIT */
/* What a charge does when it meets a limit. */
#include <criterion/criterion.h>
#include <errno.h>
#include <urcu-bp.h>

#include <cgslab/slab.h>

#include "accounting/obj_stock.h"
#include "accounting/reclaim_ops.h"
#include "tests/accounting/pantry.h"

#define LIMIT  (1ul << 20)
#define BLOCKS ((int)(LIMIT / PANTRY_BLOCK))

static struct mem_cgroup *memcg;

/* A group that is full, and could free all it has. */
static void make(void)
{
	memcg = mem_cgroup_create(NULL, "full");
	cr_assert_not_null(memcg);
	pantry_open();
	mem_cgroup_set_max(memcg, LIMIT);
	pantry_fill(memcg, BLOCKS);
	set_active_memcg(memcg);
	pantry_calls = 0;
}

static void check(void)
{
	cr_expect_eq(mem_cgroup_verify(mem_cgroup_root(), NULL), 0);
	pantry_close();
}

static uint64_t event(enum memcg_event which)
{
	return mem_cgroup_event(memcg, which);
}

/* ---- Reclaim -------------------------------------------------------------- */

Test(charge, reclaims_rather_than_to_refuse, .init = make, .fini = check)
{
	for (int i = 0; i < 10000; i++)
		cr_assert_not_null(kmalloc(64, GFP_KERNEL), "%d", i);
	cr_expect_gt(pantry_calls, 0);
	cr_expect_eq(pantry_memcg, memcg);
	cr_expect_leq(mem_cgroup_peak(memcg), LIMIT);
	cr_expect_gt(event(MEMCG_EVENT_MAX), 0);
	cr_expect_eq(event(MEMCG_EVENT_OOM), 0);
}

Test(charge, reclaims_for_spans, .init = make, .fini = check)
{
	void *span = kmalloc(LIMIT / 2, GFP_KERNEL);

	cr_assert_not_null(span);
	cr_assert_not_null(krealloc(span, LIMIT, GFP_KERNEL));
	cr_expect_eq(pantry_blocks, 0);
	cr_expect_leq(mem_cgroup_peak(memcg), LIMIT);
}

Test(charge, reclaims_for_bytes, .init = make, .fini = check)
{
	struct obj_cgroup *objcg = get_obj_cgroup_from_current();

	cr_assert_eq(obj_cgroup_charge(objcg, GFP_KERNEL, LIMIT / 2), 0);
	set_active_memcg(NULL); /* from now on by a stock of the thread's, not the heap's */
	cr_assert_eq(obj_cgroup_charge(objcg, GFP_KERNEL, LIMIT / 2), 0);
	cr_expect_eq(pantry_blocks, 0);
	cr_expect_eq(mem_cgroup_verify(memcg, NULL), 0);
	obj_cgroup_uncharge(objcg, LIMIT);
	obj_cgroup_put(objcg);
}

Test(charge, reclaims_for_what_is_transferred, .init = make, .fini = check)
{
	void *small, *large;

	set_active_memcg(NULL);
	small = kmalloc(1000, GFP_KERNEL);
	large = kmalloc(4 * PANTRY_BLOCK, GFP_KERNEL);
	cr_assert_eq(mem_cgroup_transfer(&small, memcg), 0);
	cr_assert_eq(mem_cgroup_transfer(&large, memcg), 0);
	cr_expect_leq(pantry_blocks, BLOCKS - 5);
	cr_expect_not(pantry_gfp & __GFP_FS, "who transfers may hold locks");
	cr_expect_leq(mem_cgroup_peak(memcg), LIMIT);
}

Test(charge, reclaims_the_group_whose_limit_is_met, .init = make, .fini = check)
{
	struct mem_cgroup *child = mem_cgroup_create(memcg, "child");

	set_active_memcg(child);
	cr_assert_not_null(kmalloc(1000, GFP_KERNEL));
	cr_expect_eq(pantry_memcg, memcg);
	set_active_memcg(memcg);
}

Test(charge, passes_on_what_callbacks_may_do, .init = make, .fini = check)
{
	unsigned int old;

	cr_assert_not_null(kmalloc(PANTRY_BLOCK, GFP_KERNEL));
	cr_expect_eq(pantry_gfp, GFP_KERNEL);
	cr_assert_not_null(kmalloc(PANTRY_BLOCK * 4, GFP_NOFS));
	cr_expect_eq(pantry_gfp, GFP_NOFS);
	old = memalloc_nofs_save();
	cr_assert_not_null(kmalloc(PANTRY_BLOCK * 4, GFP_KERNEL));
	cr_expect_eq(pantry_gfp, GFP_NOFS);
	memalloc_nofs_restore(old);
	cr_assert_not_null(kmalloc(PANTRY_BLOCK * 4, GFP_KERNEL));
	cr_expect_eq(pantry_gfp, GFP_KERNEL);
}

/* ---- Where it may not ------------------------------------------------------- */

Test(charge, without_direct_reclaim_it_is_refused, .init = make, .fini = check)
{
	errno = 0;
	cr_expect_null(kmalloc(PANTRY_BLOCK, GFP_NOWAIT));
	cr_expect_eq(errno, ENOMEM);
	cr_expect_eq(pantry_calls, 0);
	cr_expect_eq(event(MEMCG_EVENT_OOM), 1);
}

Test(charge, in_a_read_section_it_is_refused, .init = make, .fini = check)
{
	rcu_read_lock();
	cr_expect_null(kmalloc(PANTRY_BLOCK, GFP_KERNEL));
	rcu_read_unlock();
	cr_expect_eq(pantry_calls, 0);
	cr_expect_not_null(kmalloc(PANTRY_BLOCK, GFP_KERNEL));
}

Test(charge, what_can_never_fit_costs_nobody_anything, .init = make, .fini = check)
{
	cr_expect_null(kmalloc(LIMIT + PAGE_SIZE, GFP_KERNEL));
	cr_expect_eq(pantry_calls, 0);
	cr_expect_eq(pantry_blocks, BLOCKS);
	cr_expect_eq(event(MEMCG_EVENT_OOM), 1);
}

Test(charge, without_reclaim_it_forces_nothing_but_nofail, .init = make, .fini = check)
{
	unsigned int old = memalloc_noreclaim_save();
	void *block = kmalloc(PANTRY_BLOCK, GFP_KERNEL);

	cr_expect_not_null(block, "past the limit");
	cr_expect_not_null(kmalloc(2 * LIMIT, GFP_KERNEL), "by much");
	memalloc_noreclaim_restore(old);
	cr_expect_eq(pantry_calls, 0);
	cr_expect_gt(mem_cgroup_usage(memcg), 2 * LIMIT);
	cr_expect_null(kmalloc(PANTRY_BLOCK, GFP_NOWAIT));
	kfree(block);
	cr_expect_not_null(kmalloc(4 * PANTRY_BLOCK, GFP_KERNEL | __GFP_NOFAIL));
	cr_expect_gt(pantry_calls, 0, "nofail reclaims first");
}

/* ---- Callbacks ---------------------------------------------------------------- */

static int nested;

static int64_t allocate_there(struct mem_cgroup *group, int64_t pages)
{
	struct mem_cgroup *old;

	(void)pages;
	cr_assert_eq(nested++, 0, "reclaim within reclaim");
	cr_assert_neq(mem_cgroup_current(), group, "the thread's own group is put aside");
	old = set_active_memcg(group);
	for (int i = 0; i < 100; i++) {
		kfree(kmalloc((size_t)(1 + i) * 1000, GFP_KERNEL));
		cr_assert_not_null(kmalloc(100, GFP_KERNEL));
	}
	set_active_memcg(old);
	for (int i = 0; i < 4; i++)
		pantry_take();
	nested--;
	return 4;
}

Test(charge, callbacks_go_past_the_limit_and_do_not_recurse, .init = make, .fini = check)
{
	pantry_instead = allocate_there;
	cr_expect_not_null(kmalloc(PANTRY_BLOCK, GFP_KERNEL));
	cr_expect_eq(pantry_calls, 1);
	cr_expect_eq(mem_cgroup_current(), memcg);
	cr_expect_gt(mem_cgroup_peak(memcg), LIMIT);
	pantry_instead = NULL;
}

static int64_t nothing(struct mem_cgroup *group, int64_t pages)
{
	(void)group;
	(void)pages;
	return 0;
}

static int64_t promise(struct mem_cgroup *group, int64_t pages)
{
	(void)group;
	return pages;
}

Test(charge, useless_reclaim_ends, .init = make, .fini = check)
{
	pantry_instead = nothing;
	cr_expect_null(kmalloc(PANTRY_BLOCK, GFP_KERNEL));
	cr_expect_eq(pantry_calls, RECLAIM_USELESS);
	cr_expect_eq(event(MEMCG_EVENT_OOM), 1);
	pantry_instead = NULL;
}

Test(charge, reclaim_that_only_says_it_helps_ends, .init = make, .fini = check)
{
	pantry_instead = promise;
	cr_expect_null(kmalloc(PANTRY_BLOCK, GFP_KERNEL));
	cr_expect_eq(pantry_calls, RECLAIM_ROUNDS);
	pantry_instead = NULL;
}

static int64_t late(struct mem_cgroup *group, int64_t pages)
{
	(void)group;
	(void)pages;
	return pantry_calls % RECLAIM_USELESS == 0 && pantry_take();
}

Test(charge, progress_gives_more_time, .init = make, .fini = check)
{
	pantry_instead = late;
	cr_expect_not_null(kmalloc(3 * PANTRY_BLOCK, GFP_KERNEL));
	cr_expect_eq(pantry_calls, 3 * RECLAIM_USELESS);
	pantry_instead = NULL;
}

/* ---- Limits that are lowered ----------------------------------------------------- */

Test(charge, lower_limits_reclaim_what_is_above, .init = make, .fini = check)
{
	cr_expect_eq(mem_cgroup_set_max(memcg, LIMIT / 2), 0);
	cr_expect_leq(mem_cgroup_usage(memcg), LIMIT / 2);
	cr_expect_geq(mem_cgroup_usage(memcg), LIMIT / 2 - PANTRY_BLOCK);
	cr_expect_eq(mem_cgroup_set_high(memcg, LIMIT / 4), 0);
	cr_expect_leq(mem_cgroup_usage(memcg), LIMIT / 4);
	cr_expect_eq(mem_cgroup_high(memcg), LIMIT / 4);
	cr_expect_eq(mem_cgroup_set_high(memcg, MEMCG_MAX), 0);
	cr_expect_eq(mem_cgroup_high(memcg), MEMCG_MAX);
}

Test(charge, a_limit_that_cannot_be_met_stands, .init = make, .fini = check)
{
	pantry_instead = nothing;
	cr_expect_eq(mem_cgroup_set_max(memcg, 0), 0);
	cr_expect_leq(pantry_calls, RECLAIM_USELESS + 2);
	cr_expect_gt(mem_cgroup_usage(memcg), 0);
	cr_expect_null(kmalloc(1, GFP_KERNEL));
	pantry_instead = NULL;
}

Test(charge, the_root_has_no_limits)
{
	cr_expect_eq(mem_cgroup_set_max(mem_cgroup_root(), LIMIT), -EINVAL);
	cr_expect_eq(mem_cgroup_set_high(mem_cgroup_root(), LIMIT), -EINVAL);
	cr_expect_eq(mem_cgroup_set_min(mem_cgroup_root(), LIMIT), -EINVAL);
	cr_expect_eq(mem_cgroup_set_low(mem_cgroup_root(), LIMIT), -EINVAL);
}

/* ---- Overcharge ------------------------------------------------------------------ */

static void *allocate_until_refused(size_t size, uint64_t *granted)
{
	void *last = NULL, *block;

	for (*granted = 0; (block = kmalloc(size, GFP_NOWAIT)); *granted += size)
		last = block;
	return last;
}

Test(charge, an_overcharge_scope_allows_so_much, .init = make, .fini = check)
{
	uint64_t granted;
	size_t left;

	left = memalloc_overcharge_save(4 * PANTRY_BLOCK);
	cr_expect_eq(left, 0);
	allocate_until_refused(PANTRY_BLOCK, &granted);
	cr_expect_eq(granted, 4 * PANTRY_BLOCK);
	memalloc_overcharge_restore(left);
	cr_expect_eq(mem_cgroup_usage(memcg), LIMIT + granted);
	cr_expect_null(kmalloc(PANTRY_BLOCK, GFP_NOWAIT));
	cr_expect_null(kmalloc(1000, GFP_NOWAIT));
}

Test(charge, scopes_within_have_an_allowance_of_their_own, .init = make, .fini = check)
{
	size_t outer = memalloc_overcharge_save(2 * PANTRY_BLOCK), inner;
	uint64_t granted;

	inner = memalloc_overcharge_save(PANTRY_BLOCK);
	allocate_until_refused(PANTRY_BLOCK, &granted);
	cr_expect_eq(granted, PANTRY_BLOCK);
	memalloc_overcharge_restore(inner);
	allocate_until_refused(PANTRY_BLOCK, &granted);
	cr_expect_eq(granted, 2 * PANTRY_BLOCK);
	memalloc_overcharge_restore(outer);
}

Test(charge, small_objects_use_the_allowance_by_the_page, .init = make, .fini = check)
{
	size_t left = memalloc_overcharge_save(8 * PAGE_SIZE);
	uint64_t granted;

	allocate_until_refused(512, &granted);
	memalloc_overcharge_restore(left);
	cr_expect_geq(granted, 8 * PAGE_SIZE);
	cr_expect_lt(granted, 10 * PAGE_SIZE);
	cr_expect_leq(mem_cgroup_usage(memcg), LIMIT + 8 * PAGE_SIZE);
}

Test(charge, reclaim_comes_before_the_allowance, .init = make, .fini = check)
{
	size_t left = memalloc_overcharge_save(PANTRY_BLOCK);

	cr_expect_not_null(kmalloc(PANTRY_BLOCK, GFP_KERNEL));
	cr_expect_eq(mem_cgroup_peak(memcg), LIMIT);
	memalloc_overcharge_restore(left);
}
