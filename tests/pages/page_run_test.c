/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>

#include "alloc/base/os.h"
#include "alloc/pages/page_map.h"
#include "alloc/pages/page_run.h"

#define RUNS  300
#define STEPS 20000

/* What was handed out, and the page numbers it must not share. */
static struct run {
	char *addr;
	size_t npages;
	unsigned char mark;
} runs[RUNS];

static uint64_t state = 1;

static uint32_t below(uint32_t n)
{
	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)((state >> 32) * n >> 32);
}

static void init(void)
{
	cr_assert_eq(page_runs_init(), 0);
}

static size_t total(void)
{
	size_t npages = 0;

	for (int i = 0; i < RUNS; i++)
		npages += runs[i].npages;
	return npages;
}

static void check_books(void)
{
	struct page_run_stats stats;

	page_runs_validate();
	page_runs_stats(&stats);
	cr_assert_eq(stats.used, total(), "%zu pages used, not %zu", stats.used, total());
	cr_assert_leq(stats.used + stats.dirty, stats.mapped);
}

/* Writes to both ends of each page. */
static void mark(char *addr, size_t npages, unsigned char with)
{
	for (size_t i = 0; i < npages; i++) {
		addr[i * PAGE_SIZE] = (char)with;
		addr[(i + 1) * PAGE_SIZE - 1] = (char)with;
	}
}

static void check_mark(const char *addr, size_t npages, unsigned char with)
{
	for (size_t i = 0; i < npages; i++) {
		cr_assert_eq((unsigned char)addr[i * PAGE_SIZE], with);
		cr_assert_eq((unsigned char)addr[(i + 1) * PAGE_SIZE - 1], with);
	}
}

static void check_zero(const char *addr, size_t npages)
{
	static const char zeroes[PAGE_SIZE];

	for (size_t i = 0; i < npages; i++)
		cr_assert_eq(memcmp(addr + i * PAGE_SIZE, zeroes, PAGE_SIZE), 0,
			     "page %zu of %zu is not zero", i, npages);
}

static size_t some_length(void)
{
	return 1 + below(below(4) ? 20 : 600);
}

static void run_alloc(struct run *run)
{
	size_t npages = some_length();
	size_t align = below(4) ? 0 : PAGE_SIZE << below(10);
	bool zeroed = false;

	run->addr = page_run_alloc(npages, align, &zeroed);
	cr_assert_not_null(run->addr);
	cr_assert_eq((size_t)run->addr % (align ? align : PAGE_SIZE), 0);
	if (zeroed)
		check_zero(run->addr, npages);
	run->npages = npages;
	run->mark = (unsigned char)(1 + below(255));
	mark(run->addr, npages, run->mark);
}

static void run_free(struct run *run)
{
	check_mark(run->addr, run->npages, run->mark);
	page_run_free(run->addr, run->npages);
	run->npages = 0;
}

static void run_extend(struct run *run)
{
	size_t more = some_length();
	bool zeroed = false;

	if (!page_run_extend(run->addr, run->npages, more, &zeroed))
		return;
	if (zeroed)
		check_zero(run->addr + run->npages * PAGE_SIZE, more);
	run->npages += more;
	mark(run->addr, run->npages, run->mark);
}

static void run_shorten(struct run *run)
{
	size_t less = below((uint32_t)run->npages);

	if (!less)
		return;
	run->npages -= less;
	page_run_free(run->addr + run->npages * PAGE_SIZE, less);
	check_mark(run->addr, run->npages, run->mark);
}

/* What several runs share would be marked by one of them and seen by another. */
Test(page_run, model, .init = init)
{
	for (int step = 0; step < STEPS; step++) {
		struct run *run = &runs[below(RUNS)];
		uint32_t what = below(8);

		if (!run->npages)
			run_alloc(run);
		else if (what < 4)
			run_free(run);
		else if (what < 6)
			run_extend(run);
		else
			run_shorten(run);
		if (step % 16 == 0)
			check_books();
		if (step % 2000 == 0)
			page_runs_purge();
	}
	for (int i = 0; i < RUNS; i++)
		if (runs[i].npages)
			run_free(&runs[i]);
	check_books();
}

Test(page_run, neighbours_join, .init = init)
{
	struct page_run_stats stats;
	char *first, *again;
	bool zeroed;

	first = page_run_alloc(64, 0, &zeroed);
	for (size_t i = 0; i < 64; i += 2) /* every other one */
		page_run_free(first + i * PAGE_SIZE, 1);
	for (size_t i = 1; i < 64; i += 2)
		page_run_free(first + i * PAGE_SIZE, 1);
	page_runs_validate();
	page_runs_stats(&stats);
	cr_expect_eq(stats.used, 0);
	again = page_run_alloc(64, 0, &zeroed);
	cr_expect_eq(again, first, "the pages are one run again");
	cr_expect(!zeroed);
}

Test(page_run, purged_runs_read_as_zero, .init = init)
{
	struct page_run_stats stats;
	bool zeroed;
	char *run = page_run_alloc(100, 0, &zeroed);

	memset(run, 1, 100 * PAGE_SIZE);
	page_run_free(run, 100);
	cr_expect_eq(page_runs_purge(), 100 * PAGE_SIZE);
	page_runs_stats(&stats);
	cr_expect_eq(stats.dirty, 0);
	cr_expect_eq(page_runs_purge(), 0);
	run = page_run_alloc(100, 0, &zeroed);
	cr_expect(zeroed);
	check_zero(run, 100);
}

/* More than is purged at a time, of runs that do not join. */
Test(page_run, as_much_is_purged_as_is_asked_for, .init = init)
{
	enum { N = 40, LENGTH = 100 };
	struct page_run_stats stats;
	char *dirty[N];
	bool zeroed;

	for (int i = 0; i < N; i++) {
		dirty[i] = page_run_alloc(LENGTH, 0, &zeroed);
		memset(dirty[i], 1, LENGTH * PAGE_SIZE);
		page_run_alloc(1, 0, &zeroed); /* a wall */
	}
	for (int i = 0; i < N; i++)
		page_run_free(dirty[i], LENGTH);
	cr_expect_eq(page_runs_purge_some(0), 0);
	cr_expect_eq(page_runs_purge_some(250), 250);
	page_runs_stats(&stats);
	cr_expect_eq(stats.dirty, N * LENGTH - 250);
	cr_expect_eq(page_runs_purge_some(2500), 2500);
	page_runs_validate();
	cr_expect_eq(page_runs_purge_some(SIZE_MAX), N * LENGTH - 2750);
	cr_expect_eq(page_runs_purge_some(SIZE_MAX), 0);
	page_runs_validate();
	page_runs_stats(&stats);
	cr_expect_eq(stats.dirty, 0);
}

Test(page_run, extends_only_into_what_is_free, .init = init)
{
	bool zeroed;
	char *run = page_run_alloc(10, 0, &zeroed);
	char *next = page_run_alloc(10, 0, &zeroed);
	char *last = page_run_alloc(10, 0, &zeroed);

	cr_assert(next == run + 10 * PAGE_SIZE && last == next + 10 * PAGE_SIZE);
	cr_expect(!page_run_extend(run, 10, 1, &zeroed));
	page_run_free(next, 10);
	cr_expect(!page_run_extend(run, 10, 11, &zeroed));
	cr_expect(page_run_extend(run, 10, 4, &zeroed));
	cr_expect(!page_run_extend(run, 14, 7, &zeroed));
	cr_expect(page_run_extend(run, 14, 6, &zeroed));
	cr_expect(!page_run_extend(run, 20, 1, &zeroed));
	cr_expect(page_run_extend(last, 10, 5000, &zeroed), "the last one has room");
	cr_expect(zeroed);
	page_runs_validate();
}

/* What is idle and resident is used before fresh pages are, even if it does not suffice. */
Test(page_run, dirty_and_zero_runs_are_taken_together, .init = init)
{
	struct page_run_stats stats;
	bool zeroed;
	char *first = page_run_alloc(100, 0, &zeroed);
	char *second = page_run_alloc(100, 0, &zeroed);
	char *wall = page_run_alloc(1, 0, &zeroed);

	cr_assert(second == first + 100 * PAGE_SIZE && wall == second + 100 * PAGE_SIZE);
	page_run_free(second, 100);
	page_runs_purge();
	page_run_free(first, 100);
	page_runs_validate();
	cr_expect_eq(page_run_alloc(150, 0, &zeroed), first);
	cr_expect(!zeroed);
	page_runs_validate();
	page_runs_stats(&stats);
	cr_expect_eq(stats.dirty, 0);
	cr_expect_eq(stats.used, 151);
	cr_expect(page_run_extend(first, 150, 50, &zeroed));
	cr_expect(zeroed, "that was purged");
	page_runs_validate();
}

Test(page_run, extends_over_several_runs, .init = init)
{
	bool zeroed;
	char *run = page_run_alloc(10, 0, &zeroed);
	char *dirty = page_run_alloc(10, 0, &zeroed);
	char *zero = page_run_alloc(10, 0, &zeroed);

	page_run_free(zero, 10);
	page_runs_purge();
	page_run_free(dirty, 10);
	cr_expect(page_run_extend(run, 10, 100, &zeroed), "as nothing lies behind");
	cr_expect(!zeroed);
	page_runs_validate();
	mark(run, 110, 1);
	page_run_free(run, 110);
	page_runs_validate();
}

Test(page_run, too_much_is_refused, .init = init)
{
	bool zeroed;

	cr_expect_null(page_run_alloc(1ul << 40, 0, &zeroed));
	cr_expect_null(page_run_alloc(1, 1ul << 50, &zeroed));
	page_runs_validate();
	cr_expect_not_null(page_run_alloc(1, 0, &zeroed));
}

Test(page_run, map_finds_grains_and_nothing_else, .init = init)
{
	bool zeroed;
	char *run = page_run_alloc(3, 0, &zeroed);
	int here;

	cr_expect_eq(page_map_get(run), 0);
	page_map_set(run, 2 * PAGE_SIZE, 4711);
	cr_expect_eq(page_map_get(run), 4711);
	cr_expect_eq(page_map_get(run + 2 * PAGE_SIZE - 1), 4711);
	cr_expect_eq(page_map_get(run + 2 * PAGE_SIZE), 0);
	page_map_set(run, 2 * PAGE_SIZE, 0);
	cr_expect_eq(page_map_get(run), 0);
	run = page_run_alloc(8, 0, &zeroed);
	for (size_t first = 0; first < 3; first++) {
		for (size_t n = 0; first + n < 8; n++) {
			page_map_set(run + first * GRAIN_SIZE, n * GRAIN_SIZE, 4712);
			for (size_t i = 0; i < 8; i++)
				cr_expect_eq(page_map_get(run + (i + 1) * GRAIN_SIZE - 1),
					     i >= first && i < first + n ? 4712 : 0,
					     "grain %zu of %zu at %zu", i, n, first);
			page_map_set(run + first * GRAIN_SIZE, n * GRAIN_SIZE, 0);
		}
	}
	cr_expect_eq(page_map_get(NULL), 0);
	cr_expect_eq(page_map_get(&here), 0);
	cr_expect_eq(page_map_get((void *)UINTPTR_MAX), 0);
	cr_expect_eq(page_map_get(page_map.base - 1), 0);
	cr_expect_eq(page_map_get(page_map.base + page_map.size), 0);
}

/* ---- Parts of pages ------------------------------------------------------ */

static size_t pages_used(void)
{
	struct page_run_stats stats;

	page_runs_stats(&stats);
	return stats.used;
}

Test(page_part, lengths_are_rounded_to_parts_or_pages, .init = init)
{
	const size_t page = os_page_size();

	cr_expect_eq(page_run_round(page), page);
	cr_expect_eq(page_run_round(page / 2), page / 2);
	cr_expect_eq(page_run_round(page / 2 + 1), page);
	cr_expect_eq(page_run_round(5 * page - 1), 5 * page);
	cr_expect_eq(page_run_round(page_run_round(1)), page_run_round(1));
	for (size_t bytes = 1; bytes < 8 * page; bytes++) {
		size_t rounded = page_run_round(bytes);

		cr_assert_geq(rounded, bytes);
		cr_assert_eq(rounded % GRAIN_SIZE, 0);
		cr_assert(rounded < page ? is_power_of_two(rounded) : rounded % page == 0);
	}
}

#define PARTS 1000

/* Each keeps what is written to it, lies as it shall, and all pages come back. */
Test(page_part, random_steps_keep_every_promise, .init = init)
{
	static struct {
		char *addr;
		size_t bytes;
	} parts[PARTS];
	const size_t least = page_run_round(1), before = pages_used();

	for (int step = 0; step < 40000; step++) {
		size_t i = below(PARTS);

		if (!parts[i].addr) {
			parts[i].bytes = below(3) ? least : os_page_size() / 2;
			parts[i].addr = page_part_alloc(parts[i].bytes);
			cr_assert_not_null(parts[i].addr);
			cr_assert_eq((uintptr_t)parts[i].addr % parts[i].bytes, 0);
			memset(parts[i].addr, (int)i, parts[i].bytes);
			continue;
		}
		for (size_t b = 0; b < parts[i].bytes; b += 64)
			cr_assert_eq(parts[i].addr[b], (char)i);
		page_part_free(parts[i].addr, parts[i].bytes);
		parts[i].addr = NULL;
		if (step % 1000 == 0)
			page_runs_validate();
	}
	cr_expect_gt(pages_used(), before);
	for (size_t i = 0; i < PARTS; i++)
		if (parts[i].addr)
			page_part_free(parts[i].addr, parts[i].bytes);
	cr_expect_eq(pages_used(), before);
	page_runs_validate();
}

/* Overrunning a part that is free, or one's own, harms nobody else's books. */
Test(page_part, nothing_of_ours_lies_in_them, .init = init)
{
	const size_t least = page_run_round(1);
	char *first = page_part_alloc(least), *second = page_part_alloc(least);

	memset(first, 0xff, least);
	memset(second, 0xff, least);
	page_part_free(first, least);
	memset(first, 0xff, least);
	cr_expect_eq(page_part_alloc(least), first);
	page_part_free(first, least);
	page_part_free(second, least);
	page_runs_validate();
}
