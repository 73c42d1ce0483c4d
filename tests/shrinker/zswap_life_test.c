/* SPDX-License-Identifier: MIT */
/* What becomes of packed spans when they, or their group, go, or the process forks. */
#include <criterion/criterion.h>
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
