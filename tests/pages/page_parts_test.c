/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/pages/page_parts.h"

#define PAGES 64

static struct page_parts parts;
static uint32_t taken[PAGES]; /* units of each page that are handed out */
static uint32_t next_page;

static void make(void)
{
	parts = (struct page_parts){.units = 4};
	parts.tags = calloc(PAGES + 1, sizeof(*parts.tags));
	cr_assert_not_null(parts.tags);
	memset(taken, 0, sizeof(taken));
	next_page = 1;
}

static uint32_t bits(struct page_part part, unsigned int order)
{
	return (~0u >> (PART_UNITS - (1u << order))) << part.unit;
}

/* From a page that is cut already, or 0. */
static struct page_part take_old(unsigned int order)
{
	struct page_part part = page_parts_take(&parts, order);

	if (part.page) {
		cr_assert_lt(part.page, next_page);
		cr_assert_eq(part.unit % (1u << order), 0, "unit %u", part.unit);
		cr_assert_leq(part.unit + (1u << order), parts.units);
		cr_assert_eq(taken[part.page] & bits(part, order), 0, "handed out twice");
		taken[part.page] |= bits(part, order);
	}
	page_parts_validate(&parts);
	return part;
}

static struct page_part take(unsigned int order)
{
	struct page_part part = take_old(order);

	if (part.page)
		return part;
	cr_assert_lt(next_page, PAGES);
	page_parts_add(&parts, next_page++);
	part = take_old(order);
	cr_assert_neq(part.page, 0);
	return part;
}

static bool give(struct page_part part, unsigned int order)
{
	bool whole = page_parts_give(&parts, part, order);

	taken[part.page] &= ~bits(part, order);
	cr_assert_eq(whole, taken[part.page] == 0);
	page_parts_validate(&parts);
	return whole;
}

Test(page_parts, none_without_a_page, .init = make)
{
	cr_expect_eq(take_old(0).page, 0);
	cr_expect_eq(take_old(1).page, 0);
	cr_expect_eq(parts.nr_pages, 0);
}

Test(page_parts, fills_a_page_before_the_next, .init = make)
{
	for (int i = 0; i < 4; i++)
		cr_expect_eq(take(0).page, 1);
	cr_expect_eq(take_old(0).page, 0);
	cr_expect_eq(take(1).page, 2);
	cr_expect_eq(take(1).page, 2);
	cr_expect_eq(take_old(1).page, 0);
	cr_expect_eq(parts.nr_pages, 2);
}

Test(page_parts, does_not_break_what_is_longer, .init = make)
{
	struct page_part first = take(0), second = take(1), third = take(0);

	cr_expect(first.page == 1 && second.page == 1 && third.page == 1);
	cr_expect_eq(first.unit ^ third.unit, 1, "side by side");
	cr_expect_eq(take_old(0).page, 0);
	cr_expect_not(give(first, 0));
	cr_expect_eq(take_old(1).page, 0);
	cr_expect_not(give(third, 0));
	cr_expect_eq(take_old(1).page, 1, "two units of their own make one of two");
}

Test(page_parts, takes_from_the_page_that_can_give_least, .init = make)
{
	struct page_part half[2];

	half[0] = take(1);
	half[1] = take(1); /* page 1 is full */
	take(0);
	take(1);	  /* page 2 has one unit */
	give(half[0], 1); /* page 1 has two */
	cr_expect_eq(take(0).page, 2);
	cr_expect_eq(take(1).page, 1);
	cr_expect(give(half[1], 1) == false);
}

Test(page_parts, gives_back_whole_pages, .init = make)
{
	struct page_part a = take(0), b = take(1);

	cr_expect_not(give(a, 0));
	cr_expect(give(b, 1));
	cr_expect_eq(parts.nr_pages, 0);
	cr_expect_eq(take_old(0).page, 0, "it is not ours any more");
}

/* As the kernel's pages may be larger. */
static void at_random(uint32_t units)
{
	struct {
		struct page_part part;
		unsigned int order;
		bool used;
	} all[200] = {0};
	unsigned int orders = (unsigned int)__builtin_ctz(units);
	size_t live = 0;

	parts.units = units;
	srand(units);
	for (int i = 0; i < 20000; i++) {
		size_t k = (size_t)rand() % (units < 16 ? 100 : 40);

		if (all[k].used) {
			live -= 1u << all[k].order;
			give(all[k].part, all[k].order);
		} else {
			all[k].order = (unsigned int)rand() % orders;
			all[k].part = take_old(all[k].order);
			while (!all[k].part.page) { /* any page that is whole again */
				uint32_t page = 1;

				while (taken[page])
					page++;
				cr_assert_lt(page, PAGES);
				next_page = PAGES;
				page_parts_add(&parts, page);
				all[k].part = take_old(all[k].order);
			}
			live += 1u << all[k].order;
		}
		all[k].used = !all[k].used;
	}
	for (size_t k = 0; k < 200; k++)
		if (all[k].used)
			give(all[k].part, all[k].order);
	cr_expect_gt(live, 0);
	cr_expect_eq(parts.nr_pages, 0);
	for (unsigned int i = 0; i < PART_ORDERS; i++)
		cr_expect_eq(parts.head[i], 0);
}

Test(page_parts, four_units, .init = make)
{
	at_random(4);
}

Test(page_parts, sixteen_units, .init = make)
{
	at_random(16);
}

Test(page_parts, thirty_two_units, .init = make)
{
	at_random(32);
}
