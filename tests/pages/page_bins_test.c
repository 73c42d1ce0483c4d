/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/pages/page_bins.h"

#define PAGES (1u << 20)

static struct page_bins bins;

static void make(void)
{
	bins.tags = calloc(PAGES + 1, sizeof(*bins.tags));
	cr_assert_not_null(bins.tags);
}

static void add(uint32_t first, uint32_t npages)
{
	page_bins_add(&bins, first, npages, PAGE_DIRTY, 7);
}

static void expect_found(uint32_t npages, uint32_t first)
{
	uint32_t found = page_bins_find(&bins, npages);

	cr_expect_eq(found, first, "%u pages at %u, not %u", npages, found, first);
}

Test(page_bins, tags_both_ends, .init = make)
{
	add(100, 20);
	cr_expect_eq(bins.npages, 20);
	cr_expect_eq(bins.tags[100].state, PAGE_DIRTY);
	cr_expect_eq(bins.tags[119].state, PAGE_DIRTY);
	cr_expect_eq(bins.tags[100].npages, 20);
	cr_expect_eq(bins.tags[119].npages, 20);
	cr_expect_eq(bins.tags[100].freed_at, 7);
	page_bins_del(&bins, 100);
	cr_expect_eq(bins.npages, 0);
	cr_expect_eq(bins.tags[100].state, PAGE_USED);
	cr_expect_eq(bins.tags[119].state, PAGE_USED);
	expect_found(1, 0);
}

Test(page_bins, finds_what_is_long_enough, .init = make)
{
	expect_found(1, 0);
	add(10, 1);
	add(20, 5);
	add(30, 15);
	add(100, 100);
	add(1000, 5000);
	expect_found(1, 10);
	expect_found(2, 20);
	expect_found(5, 20);
	expect_found(6, 30);
	expect_found(16, 100);
	expect_found(100, 100);
	expect_found(101, 1000);
	expect_found(5000, 1000);
	expect_found(5001, 0);
}

/* Longer runs share a bin with shorter ones. */
Test(page_bins, looks_into_the_bin_itself, .init = make)
{
	add(1000, 130);
	add(2000, 140); /* the same bin, and first in it */
	expect_found(135, 2000);
	expect_found(131, 2000);
	page_bins_del(&bins, 2000);
	expect_found(130, 1000);
	expect_found(131, 0);
}

/* Every run is found for its own length, and taken out of the middle of a bin. */
Test(page_bins, all_lengths, .init = make)
{
	uint32_t first = 1, count = 0;

	for (uint32_t n = 1; first + n < PAGES; n += 1 + n / 9, count++) {
		add(first, n);
		cr_expect_neq(page_bins_find(&bins, n), 0, "%u", n);
		first += n;
	}
	first = 1;
	for (uint32_t n = 1; first + n < PAGES; n += 1 + n / 9) {
		cr_expect_eq(bins.tags[first].npages, n);
		page_bins_del(&bins, first);
		first += n;
	}
	cr_expect_eq(bins.npages, 0);
	for (size_t i = 0; i < PAGE_BINS / 64; i++)
		cr_expect_eq(bins.nonempty[i], 0);
	cr_expect_gt(count, 50);
}

Test(page_bins, walks_down_from_the_longest, .init = make)
{
	unsigned int bin = PAGE_BINS;
	uint32_t found[3];

	cr_expect_eq(page_bins_last(&bins, bin), PAGE_BINS);
	add(10, 1);
	add(20, 70);
	add(1000, 5000);
	for (int i = 0; i < 3; i++) {
		bin = page_bins_last(&bins, bin);
		cr_assert_lt(bin, PAGE_BINS);
		found[i] = bins.head[bin];
	}
	cr_expect(found[0] == 1000 && found[1] == 20 && found[2] == 10);
	cr_expect_eq(page_bins_last(&bins, bin), PAGE_BINS);
}
