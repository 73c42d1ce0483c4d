/* SPDX-License-Identifier: MIT */
/* What becomes of spans that are out, or on their way, when their group goes, or the process forks.
 */
#include <criterion/criterion.h>
#include <signal.h>

#include "alloc/slab/span.h"
#include "tests/shrinker/cg.h"
#include "tests/shrinker/swapper.h"
#include "tests/slab/child.h"

static struct mem_cgroup *top, *group;
static struct span *span, *other;

/* One is out, the other is not. */
static void make(void)
{
	swapper_begin();
	top = cg_create(NULL, "top");
	group = cg_create(top, "group");
	span = swapper_span(group, SPAN, 1);
	other = swapper_span(group, SPAN, 2);
	cr_assert(swapper_reclaim(group, SPAN));
	cr_assert(swapper_is_out(span));
}

static void end(void)
{
	cg_destroy(top);
	swapper_end();
}

/* ---- Removal ------------------------------------------------------------------------ */

/* The entry is the parent's, and so is the memory that it takes to bring it in. */
Test(swap_life, rmdir, .init = make, .fini = end)
{
	struct numbers before = numbers_of(top);

	cg_destroy(group);
	EXPECT_NO_CHANGE(&before);
	cr_expect(swapper_is_whole(span, 1));
	EXPECT_CHANGES(&before, {CURRENT, SPAN}, {SPANS, SPAN}, {SWAP, -(int64_t)SPAN},
		       {PSWPIN, PAGES(SPAN)}, {FILE_BYTES, -(int64_t)SPAN});
	/* The list went with them. */
	cr_expect(swapper_reclaim(top, 2 * SPAN));
	cr_expect(swapper_is_out(span) && swapper_is_out(other));
	span_put(span);
	cr_expect(swapper_is_whole(other, 2));
	span_put(other);
}

static void remove_group(void)
{
	swapper.at_write = NULL;
	cg_destroy(group);
}

/* While it is written. */
Test(swap_life, rmdir_meanwhile, .init = make, .fini = end)
{
	struct numbers before = numbers_of(top);

	swapper.at_write = remove_group;
	cr_expect(swapper_reclaim(top, SPAN));
	EXPECT_CHANGES(&before, {CURRENT, -(int64_t)SPAN}, {SPANS, -(int64_t)SPAN}, {SWAP, SPAN},
		       {SWAP_PEAK, SPAN}, {PSWPOUT, PAGES(SPAN)}, {FILE_BYTES, SPAN});
	cr_expect(swapper_is_whole(other, 2));
	cr_expect(swapper_is_whole(span, 1));
	span_put(other);
	span_put(span);
}

static void remove_group_and_fail(void)
{
	remove_group();
	swapper.write_error = 5;
}

/* The one that stays is on the list of the parent then. */
Test(swap_life, rmdir_and_an_error, .init = make, .fini = end)
{
	struct numbers before = numbers_of(top);

	swapper.at_write = remove_group_and_fail;
	cr_expect(!swapper_reclaim(top, SPAN));
	swapper.write_error = 0;
	before.of[SWAP_FAIL_EVENTS] = numbers_of(top).of[SWAP_FAIL_EVENTS];
	EXPECT_CHANGES(&before, {SWAP_PEAK, SPAN});
	cr_expect(swapper_reclaim(top, SPAN));
	cr_expect(swapper_is_out(other));
	cr_expect(swapper_is_whole(other, 2));
	span_put(other);
	span_put(span);
}

static void kill_group(unsigned int flags)
{
	struct numbers before = numbers_of(top);

	cr_assert_eq(mem_cgroup_kill(group, flags), 0);
	mem_cgroup_put(group);
	EXPECT_CHANGES(&before, {CURRENT, -(int64_t)SPAN}, {SPANS, -(int64_t)SPAN},
		       {SWAP, -(int64_t)SPAN}, {FILE_BYTES, -(int64_t)SPAN});
}

Test(swap_life, kill, .init = make, .fini = end)
{
	unsigned int writes = swapper.writes;

	kill_group(0);
	cr_expect_eq(swapper.writes, writes);
}

Test(swap_life, kill_and_wipe, .init = make, .fini = end)
{
	unsigned int writes = swapper.writes;

	kill_group(MEMCG_KILL_WIPE);
	cr_expect_gt(swapper.writes, writes, "zeros, over what is in the file");
}

/* Who reclaims may not kill the group that he reclaims from, nor one above. */
static int killed;

static void try_to_kill(void)
{
	swapper.at_write = NULL;
	killed = mem_cgroup_kill(top, 0);
}

Test(swap_life, no_kill_meanwhile, .init = make, .fini = end)
{
	swapper.at_write = try_to_kill;
	cr_expect(swapper_reclaim(group, SPAN));
	cr_expect_lt(killed, 0);
	cr_expect(swapper_is_whole(span, 1));
	cr_expect(swapper_is_whole(other, 2));
	span_put(span);
	span_put(other);
	cg_destroy(group);
}

/* ---- Transfer ------------------------------------------------------------------------- */

Test(swap_life, transfer, .init = make, .fini = end)
{
	struct mem_cgroup *to = cg_create(top, "to");
	struct numbers above = numbers_of(top), before = numbers_of(group), there = numbers_of(to);

	cr_expect_eq(span_transfer(span, to), 0);
	cr_expect(swapper_is_out(span));
	EXPECT_NO_CHANGE(&above);
	EXPECT_CHANGES(&before, {SWAP, -(int64_t)SPAN});
	EXPECT_CHANGES(&there, {SWAP, SPAN}, {SWAP_PEAK, SPAN});
	cr_expect(swapper_is_whole(span, 1));
	EXPECT_CHANGES(&there, {SWAP_PEAK, SPAN}, {CURRENT, SPAN}, {SPANS, SPAN}, {PEAK, SPAN},
		       {PSWPIN, PAGES(SPAN)}, {FILE_BYTES, -(int64_t)SPAN});
	/* It is on the other list. */
	cr_expect(swapper_reclaim(to, SPAN));
	cr_expect(swapper_is_out(span));
	span_put(span);
	span_put(other);
	cg_destroy(group);
	cg_destroy(to);
}

/* ---- fork ------------------------------------------------------------------------------ */

/* What was out is out there as well, and each has its own from then on. */
static void look_and_write(void)
{
	CHILD_CHECK(swapper_is_out(span) && !swapper_is_out(other));
	CHILD_CHECK(swapper_number(group, SWAP) == SPAN);
	CHILD_CHECK(swapper_is_whole(span, 1));
	CHILD_CHECK(swapper_number(group, SWAP) == 0);
	swapper_fill(span, 3);
	CHILD_CHECK(swapper_reclaim(group, 2 * SPAN));
	CHILD_CHECK(swapper_is_out(span) && swapper_is_out(other));
	CHILD_CHECK(swapper_number(group, SWAP) == 2 * SPAN);
	child_verify();
	CHILD_CHECK(swapper_is_whole(span, 3));
	CHILD_CHECK(swapper_is_whole(other, 2));
	span_put(span);
	span_put(other);
	child_verify();
}

Test(swap_life, fork, .init = make, .fini = end)
{
	struct numbers before = numbers_of(group);

	for (int i = 0; i < 3; i++) {
		cr_expect_eq(child_run(fork, look_and_write), 0);
		EXPECT_NO_CHANGE(&before);
	}
	cr_expect(swapper_is_whole(span, 1));
	cr_expect(swapper_reclaim(group, 2 * SPAN));
	cr_expect_eq(child_run(fork, child_verify), 0);
	cr_expect(swapper_is_whole(span, 1));
	cr_expect(swapper_is_whole(other, 2));
	span_put(span);
	span_put(other);
	cg_destroy(group);
}

/* The child may give back what the parent still needs. */
static void put_all(void)
{
	span_put(span);
	span_put(other);
	CHILD_CHECK(mem_cgroup_rmdir(group) == 0);
	mem_cgroup_put(group);
	child_verify();
}

Test(swap_life, fork_and_put, .init = make, .fini = end)
{
	cr_expect_eq(child_run(fork, put_all), 0);
	cr_expect(swapper_is_whole(span, 1));
	put_all();
}
