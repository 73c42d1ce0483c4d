/* SPDX-License-Identifier: MIT */
/* What becomes of packed spans when they, or their group, go, or the process forks. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "alloc/slab/span.h"
#include "shrinker/zswap.h"
#include "tests/shrinker/cg.h"
#include "tests/shrinker/swapper.h"
#include "tests/slab/child.h"

static struct mem_cgroup *top, *group;
static struct span *span;
static int64_t bytes; /* that it takes packed */

static void fill(char with)
{
	char *data = span_pin(span);

	cr_assert(data);
	memset(data, with, SPAN);
	data[1] = 0; /* one word all over would be stored nowhere */
	span_unpin(span);
}

static bool is_whole(char with)
{
	char *data = span_pin(span);
	bool whole = data && data[0] == with && data[1] == 0 &&
		     !memcmp(data + 2, data + 3, SPAN - 3) && data[2] == with;

	span_unpin(span);
	return whole;
}

/* Packed. */
static void begin(void)
{
	swapper_begin();
	cr_assert_eq(zswap_switch(true), 0);
	top = cg_create(NULL, "top");
	group = cg_create(top, "group");
	span = swapper_span(group, SPAN, 1);
	fill('a');
	cr_assert(swapper_reclaim(group, SPAN / 2));
	bytes = swapper_number(top, ZSWAP);
	cr_assert(bytes > 0);
	cr_assert_eq(bytes, (int64_t)span_slab(span)->packed << 12);
}

static void end(void)
{
	cr_expect_eq(swapper_number(top, CURRENT), 0);
	cr_expect_eq(swapper_number(top, ZSWAP), 0);
	cr_expect_eq(swapper_number(top, ZSWAPPED), 0);
	cr_expect_eq(swapper_number(top, SWAP), 0);
	cr_expect_eq(swapper_number(top, FILE_BYTES), 0);
	cg_destroy(top);
	swapper_end();
}

TestSuite(zswap_life, .init = begin, .fini = end);

Test(zswap_life, last_put)
{
	struct numbers before = numbers_of(top);

	span_put(span);
	EXPECT_CHANGES(&before, {CURRENT, -bytes}, {SPANS, -bytes}, {SWAP, -(int64_t)SPAN},
		       {ZSWAP, -bytes}, {ZSWAPPED, -(int64_t)SPAN});
	cg_destroy(group);
}

Test(zswap_life, last_put_from_the_file)
{
	cr_assert(swapper_reclaim(group, 4096));
	span_put(span);
	cg_destroy(group);
}

Test(zswap_life, rmdir)
{
	struct numbers before = numbers_of(top);

	cg_destroy(group);
	EXPECT_NO_CHANGE(&before);
	/* The list went with it. */
	cr_assert(swapper_reclaim(top, 4096));
	cr_expect_eq(span_slab(span)->packed, 0u);
	cr_expect_eq(swapper_number(top, ZSWAP), 0);
	cr_expect(is_whole('a'));
	cr_assert(swapper_reclaim(top, SPAN / 2));
	cr_expect_gt(swapper_number(top, ZSWAP), 0);
	span_put(span);
}

static void remove_group(void)
{
	swapper.at_write = NULL;
	cg_destroy(group);
}

Test(zswap_life, rmdir_while_it_goes_to_the_file)
{
	swapper.at_write = remove_group;
	cr_expect(swapper_reclaim(top, 4096));
	cr_expect_eq(swapper_number(top, ZSWAP), 0);
	cr_expect(is_whole('a'));
	span_put(span);
}

static void kill_group(unsigned int flags)
{
	struct numbers before = numbers_of(top);

	cr_assert_eq(mem_cgroup_kill(group, flags), 0);
	mem_cgroup_put(group);
	EXPECT_CHANGES(&before, {CURRENT, -bytes}, {SPANS, -bytes}, {SWAP, -(int64_t)SPAN},
		       {ZSWAP, -bytes}, {ZSWAPPED, -(int64_t)SPAN});
	cr_expect(!swapper_reclaim(top, 4096), "it is on no list");
}

Test(zswap_life, kill)
{
	kill_group(0);
}

Test(zswap_life, kill_and_wipe)
{
	kill_group(MEMCG_KILL_WIPE);
}

static void last_put_at_write(void)
{
	swapper.at_write = NULL;
	span_put(span);
}

Test(zswap_life, last_put_while_it_goes_to_the_file)
{
	swapper.at_write = last_put_at_write;
	cr_expect(swapper_reclaim(group, 4096));
	cg_destroy(group);
}

static void look_and_write(void)
{
	CHILD_CHECK(swapper_number(group, ZSWAP) == bytes);
	CHILD_CHECK(swapper_number(group, ZSWAPPED) == SPAN);
	CHILD_CHECK(swapper_reclaim(group, 4096));
	CHILD_CHECK(swapper_number(group, ZSWAP) == 0);
	CHILD_CHECK(is_whole('a'));
	fill('b');
	CHILD_CHECK(swapper_reclaim(group, SPAN / 2));
	CHILD_CHECK(swapper_number(group, ZSWAP) > 0);
	CHILD_CHECK(is_whole('b'));
	span_put(span);
	CHILD_CHECK(swapper_number(group, ZSWAP) == 0);
	CHILD_CHECK(swapper_number(group, CURRENT) == 0);
}

Test(zswap_life, fork)
{
	struct numbers before = numbers_of(top);

	cr_assert_eq(child_run(fork, look_and_write), 0);
	EXPECT_NO_CHANGE(&before);
	cr_expect(is_whole('a'));
	span_put(span);
	cg_destroy(group);
}

/* ---- Moves --------------------------------------------------------------------------- */

/* All that it is charged for goes, and it is on the list of the new group. */
Test(zswap_life, transfer)
{
	struct mem_cgroup *other = cg_create(top, "other");
	struct numbers before = numbers_of(group), there = numbers_of(other), all = numbers_of(top);

	cr_expect_eq(span_transfer(span, other), 0);
	EXPECT_CHANGES(&before, {CURRENT, -bytes}, {SPANS, -bytes}, {SWAP, -(int64_t)SPAN},
		       {ZSWAP, -bytes}, {ZSWAPPED, -(int64_t)SPAN});
	EXPECT_CHANGES(&there, {CURRENT, bytes}, {PEAK, bytes}, {SPANS, bytes}, {SWAP, SPAN},
		       {SWAP_PEAK, SPAN}, {ZSWAP, bytes}, {ZSWAPPED, SPAN});
	EXPECT_NO_CHANGE(&all);
	cr_expect(swapper_reclaim(other, (size_t)bytes));
	cr_expect_eq(swapper_number(other, ZSWAP), 0, "it went to the file");
	cr_expect(is_whole('a'));
	cr_expect_eq(swapper_number(other, SPANS), SPAN);
	span_put(span);
	cg_destroy(other);
	cg_destroy(group);
}

/* Memory or swap: if there is no room for the one, the other stays as well. */
Test(zswap_life, transfer_is_refused)
{
	struct mem_cgroup *other = cg_create(top, "other");
	struct numbers before = numbers_of(group), there;

	cr_assert_eq(mem_cgroup_set_max(other, (uint64_t)bytes - 4096), 0);
	there = numbers_of(other);
	cr_expect_eq(span_transfer(span, other), -ENOMEM);
	EXPECT_NO_CHANGE(&before);
	there.of[MAX_EVENTS] = numbers_of(other).of[MAX_EVENTS];
	there.of[OOM_EVENTS] = numbers_of(other).of[OOM_EVENTS];
	EXPECT_NO_CHANGE(&there);
	cr_assert_eq(mem_cgroup_set_max(other, MEMCG_MAX), 0);
	cr_assert_eq(mem_cgroup_set_swap_max(other, SPAN - 4096), 0);
	cr_expect_eq(span_transfer(span, other), -ENOMEM);
	EXPECT_NO_CHANGE(&before);
	there.of[PEAK] = bytes; /* it was charged, and was not */
	EXPECT_CHANGES(&there, {SWAP_MAX_EVENTS, 1}, {SWAP_FAIL_EVENTS, 1});
	cr_expect(is_whole('a'));
	span_put(span);
	cg_destroy(other);
	cg_destroy(group);
}

Test(zswap_life, migrate)
{
	struct span *new = span_alloc(SPAN, GFP_KERNEL | SPAN_UNCHARGED);
	struct numbers before = numbers_of(top);

	cr_expect_eq(mem_cgroup_migrate(span, new), 0);
	before.of[PEAK] = numbers_of(top).of[PEAK]; /* both are there while it is unpacked */
	EXPECT_CHANGES(&before, {CURRENT, (int64_t)SPAN - bytes}, {SPANS, (int64_t)SPAN - bytes},
		       {SWAP, -(int64_t)SPAN}, {ZSWAP, -bytes}, {ZSWAPPED, -(int64_t)SPAN},
		       {ZSWPIN, PAGES(SPAN)});
	span_put(span);
	span = new;
	cr_expect(is_whole('a'));
	span_put(span);
	cg_destroy(group);
}
