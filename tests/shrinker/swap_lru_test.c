/* SPDX-License-Identifier: MIT */
/* Which spans go: the least recently unpinned of the group that is short of memory. */
#include <criterion/criterion.h>

#include "tests/shrinker/cg.h"
#include "tests/shrinker/swapper.h"

#define SPANS_MADE 20
#define LENGTH	   KIB(64)

static struct mem_cgroup *group;
static struct span *spans[SPANS_MADE];

static void make(void)
{
	swapper_begin();
	group = cg_create(NULL, "group");
	for (unsigned int i = 0; i < SPANS_MADE; i++)
		spans[i] = swapper_span(group, LENGTH, i);
}

static void end(void)
{
	for (unsigned int i = 0; i < SPANS_MADE; i++) {
		cr_expect(swapper_is_whole(spans[i], i));
		span_put(spans[i]);
	}
	cg_destroy(group);
	swapper_end();
}

static void touch(unsigned int i)
{
	cr_assert(span_pin(spans[i]));
	span_unpin(spans[i]);
}

/* One goes, and it is that one. */
static void expect_next(unsigned int i)
{
	cr_expect(!swapper_is_out(spans[i]));
	cr_expect(swapper_reclaim(group, LENGTH));
	cr_expect(swapper_is_out(spans[i]), "not %u", i);
}

Test(swap_lru, in_the_order_of_their_making, .init = make, .fini = end)
{
	for (unsigned int i = 0; i < SPANS_MADE; i++)
		expect_next(i);
	cr_expect(!swapper_reclaim(group, LENGTH));
}

Test(swap_lru, in_the_opposite_order, .init = make, .fini = end)
{
	for (unsigned int i = SPANS_MADE; i--;)
		touch(i);
	for (unsigned int i = SPANS_MADE; i--;)
		expect_next(i);
}

Test(swap_lru, in_any_order, .init = make, .fini = end)
{
	for (unsigned int i = 0; i < SPANS_MADE; i++)
		touch(i * 7 % SPANS_MADE);
	for (unsigned int i = 0; i < SPANS_MADE; i++)
		expect_next(i * 7 % SPANS_MADE);
}

/* Pins are no use, only their ends are. */
Test(swap_lru, unpins_count, .init = make, .fini = end)
{
	for (unsigned int i = 0; i < SPANS_MADE; i++)
		cr_assert(span_pin(spans[i]));
	for (unsigned int i = 0; i < SPANS_MADE; i++)
		span_unpin(spans[i * 3 % SPANS_MADE]);
	for (unsigned int i = 0; i < SPANS_MADE; i++)
		expect_next(i * 3 % SPANS_MADE);
}

/* Who is used between two looks goes later, also when the list was put in order before. */
Test(swap_lru, between_two_looks, .init = make, .fini = end)
{
	for (unsigned int i = 0; i < SPANS_MADE; i++)
		touch(i * 7 % SPANS_MADE);
	expect_next(0);
	touch(7);
	expect_next(14);
	touch(1);
	for (unsigned int i = 3; i < SPANS_MADE; i++)
		if (i * 7 % SPANS_MADE != 1)
			expect_next(i * 7 % SPANS_MADE);
	expect_next(7);
	expect_next(1);
}

Test(swap_lru, pinned_ones_are_passed_by, .init = make, .fini = end)
{
	for (unsigned int i = 0; i < SPANS_MADE; i += 2)
		cr_assert(span_pin(spans[i]));
	for (unsigned int i = 1; i < SPANS_MADE; i += 2)
		expect_next(i);
	cr_expect(!swapper_reclaim(group, LENGTH));
	for (unsigned int i = 0; i < SPANS_MADE; i += 2)
		span_unpin(spans[i]);
	for (unsigned int i = 0; i < SPANS_MADE; i += 2)
		expect_next(i);
}

/* One that was brought in is the youngest. */
Test(swap_lru, brought_in, .init = make, .fini = end)
{
	expect_next(0);
	expect_next(1);
	touch(0);
	for (unsigned int i = 2; i < SPANS_MADE; i++)
		expect_next(i);
	expect_next(0);
}

/* So is one that could not be written: another has its turn. */
Test(swap_lru, put_back, .init = make, .fini = end)
{
	mem_cgroup_set_swap_max(group, 0);
	swapper_reclaim(group, LENGTH);
	cr_expect_eq(swapper_number(group, SWAP), 0);
	mem_cgroup_set_swap_max(group, MEMCG_MAX);
	cr_expect(swapper_reclaim(group, SPANS_MADE * LENGTH));
}

/* Each of two siblings gives some. */
Test(swap_lru, by_group, .init = make, .fini = end)
{
	struct mem_cgroup *left = cg_create(group, "left"), *right = cg_create(group, "right");
	struct span *lefts[SPANS_MADE], *rights[SPANS_MADE];
	unsigned int out[2] = {0, 0};

	cr_assert(swapper_reclaim(group, SPANS_MADE * LENGTH));
	for (unsigned int i = 0; i < SPANS_MADE; i++) {
		lefts[i] = swapper_span(left, LENGTH, i);
		rights[i] = swapper_span(right, LENGTH, i);
	}
	for (unsigned int i = 0; i < SPANS_MADE / 2; i++)
		cr_expect(swapper_reclaim(group, 2 * LENGTH));
	for (unsigned int i = 0; i < SPANS_MADE; i++) {
		out[0] += swapper_is_out(lefts[i]);
		out[1] += swapper_is_out(rights[i]);
		span_put(lefts[i]);
		span_put(rights[i]);
	}
	cr_expect(out[0] >= SPANS_MADE / 4 && out[1] >= SPANS_MADE / 4, "%u and %u", out[0],
		  out[1]);
	cg_destroy(left);
	cg_destroy(right);
}
