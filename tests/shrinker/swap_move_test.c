/* SPDX-License-Identifier: MIT */
/* Spans that may be swapped, or are out, and are migrated or go to another group. */
#include <criterion/criterion.h>
#include <errno.h>

#include "alloc/slab/span.h"
#include "tests/shrinker/cg.h"
#include "tests/shrinker/swapper.h"

static struct mem_cgroup *top, *group, *other;
static struct span *span;

/* A span of the group that is in memory. */
static void make(void)
{
	swapper_begin();
	top = cg_create(NULL, "top");
	group = cg_create(top, "group");
	other = cg_create(top, "other");
	span = swapper_span(group, SPAN, 1);
}

static void make_out(void)
{
	make();
	cr_assert(swapper_reclaim(group, SPAN));
	cr_assert(swapper_is_out(span));
}

static void end(void)
{
	span_put(span);
	cg_destroy(group);
	cg_destroy(other);
	cg_destroy(top);
	swapper_end();
}

static struct span *target(size_t bytes)
{
	struct span *new = span_alloc(bytes, GFP_KERNEL | SPAN_UNCHARGED);

	cr_assert(new);
	return new;
}

/* ---- Migration: out ------------------------------------------------------------------ */

/* It is brought back first: the charge of swap becomes one of memory, and that new's. */
Test(swap_move, migrate_out, .init = make_out, .fini = end)
{
	struct numbers before = numbers_of(group), all = numbers_of(top);
	struct span *new = target(SPAN);

	cr_expect_eq(mem_cgroup_migrate(span, new), 0);
	EXPECT_CHANGES(&before, {CURRENT, SPAN}, {SPANS, SPAN}, {SWAP, -(int64_t)SPAN},
		       {PSWPIN, PAGES(SPAN)}, {FILE_BYTES, -(int64_t)SPAN});
	cr_expect(swapper_is_whole(new, 1));
	cr_expect_null(span_memcg(span));
	cr_expect_eq(span_memcg(new), group);
	span_put(new);
	EXPECT_CHANGES(&all, {SWAP, -(int64_t)SPAN}, {PSWPIN, PAGES(SPAN)},
		       {FILE_BYTES, -(int64_t)SPAN});
}

/* There is no room to bring it in but that of another, which goes out for it. */
Test(swap_move, migrate_out_at_the_limit, .init = make_out, .fini = end)
{
	struct span *second = swapper_span(group, SPAN, 2), *new = target(SPAN);
	struct numbers before = numbers_of(group);

	cr_assert_eq(mem_cgroup_set_max(group, SPAN), 0);
	before = numbers_of(group);
	cr_expect_eq(mem_cgroup_migrate(span, new), 0);
	cr_expect(swapper_is_out(second));
	before.of[MAX_EVENTS] = numbers_of(group).of[MAX_EVENTS];
	/* For a moment both were out. */
	EXPECT_CHANGES(&before, {SWAP_PEAK, SPAN}, {PSWPIN, PAGES(SPAN)}, {PSWPOUT, PAGES(SPAN)});
	cr_expect(swapper_is_whole(new, 1));
	cr_assert_eq(mem_cgroup_set_max(group, MEMCG_MAX), 0);
	cr_expect(swapper_is_whole(second, 2));
	span_put(second);
	span_put(new);
}

Test(swap_move, migrate_out_is_refused, .init = make_out, .fini = end)
{
	struct span *new = target(SPAN);
	struct numbers before;

	cr_assert_eq(mem_cgroup_set_max(group, SPAN - 4096), 0);
	before = numbers_of(group);
	cr_expect_eq(mem_cgroup_migrate(span, new), -ENOMEM);
	before.of[MAX_EVENTS] = numbers_of(group).of[MAX_EVENTS];
	before.of[OOM_EVENTS] = numbers_of(group).of[OOM_EVENTS];
	EXPECT_NO_CHANGE(&before);
	cr_expect(swapper_is_out(span));
	cr_expect_null(span_memcg(new));
	cr_assert_eq(mem_cgroup_set_max(group, MEMCG_MAX), 0);
	cr_expect(swapper_is_whole(span, 1));
	span_put(new);
}

Test(swap_move, migrate_out_with_an_error, .init = make_out, .fini = end)
{
	struct span *new = target(SPAN);
	struct numbers before = numbers_of(group);

	swapper.read_error = EIO;
	cr_expect_eq(mem_cgroup_migrate(span, new), -EIO);
	swapper.read_error = 0;
	cr_expect(swapper_is_out(span));
	before.of[PEAK] = numbers_of(group).of[PEAK]; /* it was charged for the read */
	EXPECT_NO_CHANGE(&before);
	cr_expect_eq(mem_cgroup_migrate(span, new), 0);
	cr_expect(swapper_is_whole(new, 1));
	span_put(new);
}

/* Both are charged, and both are out: each keeps what it is charged. */
Test(swap_move, migrate_to_one_that_is_out, .init = make_out, .fini = end)
{
	struct span *new = swapper_span(other, SPAN, 2);
	struct numbers before, there;

	cr_assert(swapper_reclaim(other, SPAN));
	before = numbers_of(group);
	there = numbers_of(other);
	cr_expect_eq(mem_cgroup_migrate(span, new), 0);
	EXPECT_CHANGES(&before, {CURRENT, SPAN}, {SPANS, SPAN}, {SWAP, -(int64_t)SPAN},
		       {PSWPIN, PAGES(SPAN)}, {FILE_BYTES, -2 * (int64_t)SPAN});
	EXPECT_CHANGES(&there, {CURRENT, SPAN}, {SPANS, SPAN}, {SWAP, -(int64_t)SPAN},
		       {PSWPIN, PAGES(SPAN)}, {FILE_BYTES, -2 * (int64_t)SPAN});
	cr_expect(swapper_is_whole(new, 1));
	/* Each is on the list of its group. */
	swapper_fill(span, 3);
	cr_expect(swapper_reclaim(group, SPAN));
	cr_expect(swapper_reclaim(other, SPAN));
	cr_expect(swapper_is_out(span) && swapper_is_out(new));
	cr_expect(swapper_is_whole(span, 3));
	cr_expect(swapper_is_whole(new, 1));
	span_put(new);
}

/* ---- Migration: in memory -------------------------------------------------------------- */

/* What is charged to nobody is on no list; and back, it is again. */
Test(swap_move, migrate_takes_it_off_the_list, .init = make, .fini = end)
{
	struct span *new = target(SPAN);

	cr_expect_eq(mem_cgroup_migrate(span, new), 0);
	cr_expect(!swapper_reclaim(group, SPAN), "new may not be swapped, and old is nobody's");
	cr_expect_eq(mem_cgroup_migrate(new, span), 0);
	cr_expect(swapper_is_whole(span, 1));
	cr_expect(swapper_reclaim(group, SPAN));
	cr_expect(swapper_is_out(span));
	cr_expect(swapper_is_whole(span, 1));
	span_put(new);
}

/* The last put of one that was migrated from, and may be swapped. */
Test(swap_move, migrate_and_put, .init = make, .fini = end)
{
	struct span *second = swapper_span(group, SPAN, 2), *new = target(SPAN);

	cr_expect_eq(mem_cgroup_migrate(second, new), 0);
	span_put(second);
	cr_expect(swapper_is_whole(new, 2));
	span_put(new);
	cr_expect(swapper_reclaim(group, SPAN));
}

/* What new is longer by is charged as anything is: another goes out for it. */
Test(swap_move, migrate_reclaims_for_the_difference, .init = make, .fini = end)
{
	struct span *second = swapper_span(group, SPAN, 2), *new = target(2 * SPAN);

	cr_assert_eq(mem_cgroup_set_max(group, 2 * SPAN), 0);
	cr_assert(span_pin(span)); /* so it is second that goes */
	span_unpin(span);
	cr_expect_eq(mem_cgroup_migrate(span, new), 0);
	cr_expect(swapper_is_out(second));
	cr_expect_eq(swapper_number(group, SPANS), 2 * SPAN);
	cr_expect_eq(swapper_number(group, SWAP), SPAN);
	span_put(new);
	cr_expect(swapper_is_whole(second, 2));
	span_put(second);
}

/*
 * There is room for each of the two, and nothing else could go out: old does not, as it would have
 * to come back at once.
 */
Test(swap_move, migrate_does_not_reclaim_old, .init = make, .fini = end)
{
	struct span *new = target(SPAN + SPAN / 2);
	struct numbers before;

	cr_assert_eq(mem_cgroup_set_max(group, SPAN + SPAN / 4), 0);
	before = numbers_of(group);
	cr_expect_eq(mem_cgroup_migrate(span, new), -ENOMEM);
	before.of[MAX_EVENTS] = numbers_of(group).of[MAX_EVENTS];
	before.of[OOM_EVENTS] = numbers_of(group).of[OOM_EVENTS];
	EXPECT_NO_CHANGE(&before);
	cr_expect_null(span_memcg(new));
	cr_assert_eq(mem_cgroup_set_max(group, MEMCG_MAX), 0);
	cr_expect(swapper_is_whole(span, 1));
	span_put(new);
}

/* Both would be in memory, and there is room for one: neither goes for the other. */
Test(swap_move, migrate_two_that_do_not_fit, .init = make_out, .fini = end)
{
	struct span *second = swapper_span(group, SPAN, 2);

	cr_assert_eq(mem_cgroup_set_max(group, SPAN + SPAN / 2), 0);
	cr_expect_eq(mem_cgroup_migrate(span, second), -ENOMEM);
	cr_assert_eq(mem_cgroup_set_max(group, MEMCG_MAX), 0);
	cr_expect(swapper_is_whole(span, 1));
	cr_expect(swapper_is_whole(second, 2));
	span_put(second);
}

/* ---- Transfer ---------------------------------------------------------------------------- */

Test(swap_move, transfer_out, .init = make_out, .fini = end)
{
	struct numbers before = numbers_of(group), there = numbers_of(other), all = numbers_of(top);

	cr_expect_eq(span_transfer(span, other), 0);
	EXPECT_CHANGES(&before, {SWAP, -(int64_t)SPAN});
	EXPECT_CHANGES(&there, {SWAP, SPAN}, {SWAP_PEAK, SPAN});
	EXPECT_NO_CHANGE(&all);
	cr_expect(swapper_is_out(span));
	cr_expect_eq(span_memcg(span), other);
	cr_expect(swapper_is_whole(span, 1));
	cr_expect_eq(swapper_number(other, SPANS), SPAN);
	cr_expect_eq(swapper_number(other, SWAP), 0);
	cr_expect_eq(swapper_number(group, SPANS), 0);
}

Test(swap_move, transfer_out_is_refused, .init = make_out, .fini = end)
{
	struct numbers before = numbers_of(group), there;

	cr_assert_eq(mem_cgroup_set_swap_max(other, SPAN - 4096), 0);
	there = numbers_of(other);
	cr_expect_eq(span_transfer(span, other), -ENOMEM);
	EXPECT_NO_CHANGE(&before);
	EXPECT_CHANGES(&there, {SWAP_MAX_EVENTS, 1}, {SWAP_FAIL_EVENTS, 1});
	cr_expect_eq(span_memcg(span), group);
	cr_expect(swapper_is_whole(span, 1));
}

/* A limit of memory is not asked for what takes none, though there is too much already. */
Test(swap_move, transfer_out_to_one_over_its_limit, .init = make_out, .fini = end)
{
	struct span *pinned = swapper_span(other, SPAN, 2);
	struct numbers there;

	cr_assert(span_pin(pinned));
	cr_assert_eq(mem_cgroup_set_max(other, SPAN / 2), 0);
	there = numbers_of(other);
	cr_expect_eq(span_transfer(span, other), 0);
	EXPECT_CHANGES(&there, {SWAP, SPAN}, {SWAP_PEAK, SPAN});
	cr_expect_eq(span_memcg(span), other);
	cr_expect(swapper_is_out(span));
	span_unpin(pinned);
	span_put(pinned);
}

/* It is on the list of its new group then. */
Test(swap_move, transfer_then_out, .init = make, .fini = end)
{
	struct numbers all = numbers_of(top);

	cr_expect_eq(span_transfer(span, other), 0);
	EXPECT_NO_CHANGE(&all);
	cr_expect(!swapper_reclaim(group, SPAN));
	cr_expect(swapper_reclaim(other, SPAN));
	cr_expect(swapper_is_out(span));
	cr_expect_eq(swapper_number(other, SWAP), SPAN);
	cr_expect(swapper_is_whole(span, 1));
}

/* Room is made in the new group, at its limit, with the span not isolated meanwhile. */
Test(swap_move, transfer_reclaims, .init = make, .fini = end)
{
	struct span *second = swapper_span(other, SPAN, 2);

	cr_assert_eq(mem_cgroup_set_max(other, SPAN), 0);
	cr_expect_eq(span_transfer(span, other), 0);
	cr_expect(swapper_is_out(second));
	cr_expect_eq(swapper_number(other, SPANS), SPAN);
	cr_expect_eq(swapper_number(other, SWAP), SPAN);
	cr_expect(swapper_is_whole(second, 2));
	cr_expect(swapper_is_whole(span, 1));
	span_put(second);
}

/* The one that is out is all that is left of its group. */
Test(swap_move, transfer_from_a_removed_group, .init = make_out)
{
	cg_destroy(group);
	cr_expect_eq(span_transfer(span, other), 0);
	cr_expect_eq(swapper_number(other, SWAP), SPAN);
	cr_expect(swapper_is_whole(span, 1));
	span_put(span);
	cg_destroy(other);
	cg_destroy(top);
	swapper_end();
}
