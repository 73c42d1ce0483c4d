/* SPDX-License-Identifier: MIT */
#include "alloc/pages/page_huge.h"

#include <criterion/criterion.h>
#include <string.h>

#include "alloc/base/os.h"
#include "alloc/pages/page_map.h"
#include "alloc/pages/page_run.h"

#define HUGES 16

static uint16_t counts[HUGES + 2];
static struct page_huge_map map = {.free = counts};

static char *alloc(size_t npages, size_t align)
{
	bool zeroed;
	char *run = page_run_alloc(npages, align, &zeroed);

	cr_assert_not_null(run);
	return run;
}

/* HUGES whole huge pages; what is before and behind them is in use. */
static char *arena;

static void init(void)
{
	cr_assert_eq(page_runs_init(), 0);
	arena = alloc(HUGES * HUGE_PAGES, HUGE_SIZE);
	alloc(1, 0);
	while (page_map.base + PAGE_SIZE < arena && page_run_alloc_low(&map, 1, arena))
		;
}

static char *page_at(size_t huge, size_t page)
{
	return arena + huge * HUGE_SIZE + page * PAGE_SIZE;
}

static uint32_t index_of(const char *addr)
{
	return (uint32_t)((size_t)(addr - page_map.base) >> HUGE_SHIFT);
}

static void count(void)
{
	map.nr = page_runs_huge();
	cr_assert_leq(map.nr, HUGES + 2);
	page_runs_count_huge(&map);
}

static size_t free_in(size_t huge)
{
	return map.free[index_of(page_at(huge, 0))];
}

Test(page_huge, free_pages_are_counted_by_huge_page, .init = init)
{
	count();
	for (size_t i = 0; i < HUGES; i++)
		cr_expect_eq(free_in(i), 0);
	page_run_free(page_at(1, 500), 12 + HUGE_PAGES + 3); /* over three of them */
	page_run_free(page_at(5, 7), 1);
	page_run_free(page_at(5, 9), 2);
	count();
	cr_expect_eq(free_in(0), 0);
	cr_expect_eq(free_in(1), 12);
	cr_expect_eq(free_in(2), HUGE_PAGES);
	cr_expect(page_huge_is_free(&map, index_of(page_at(2, 0))));
	cr_expect_eq(free_in(3), 3);
	cr_expect_eq(free_in(4), 0);
	cr_expect_eq(free_in(5), 3);
	page_runs_purge();
	page_run_free(page_at(5, 8), 1); /* between what was purged */
	count();
	cr_expect_eq(free_in(5), 4, "dirty and zero runs count alike");
	cr_expect(!page_huge_is_free(&map, map.nr), "nothing is known of it");
	page_runs_validate();
}

Test(page_huge, the_lowest_run_in_broken_huge_pages_is_taken, .init = init)
{
	char *end = page_at(8, 0);

	page_run_free(page_at(6, 0), 20);
	page_run_free(page_at(3, 100), 10);
	page_run_free(page_at(1, 0), HUGE_PAGES); /* nobody else is in there */
	page_run_free(page_at(9, 0), 30);
	count();
	cr_expect_eq(page_run_alloc_low(&map, 8, end), page_at(3, 100));
	cr_expect_eq(page_run_alloc_low(&map, 8, end), page_at(6, 0));
	cr_expect_eq(page_run_alloc_low(&map, 2, end), page_at(3, 108));
	cr_expect_eq(page_run_alloc_low(&map, 12, end), page_at(6, 8));
	cr_expect_null(page_run_alloc_low(&map, 1, end),
		       "the others would break one, or lie above");
	cr_expect_eq(page_run_alloc_low(&map, 30, page_at(9, 30)), page_at(9, 0));
	page_runs_validate();
}

/* A run over several huge pages: only its ends lie in broken ones. */
Test(page_huge, a_long_run_gives_its_ends, .init = init)
{
	char *end = page_at(HUGES, 0);

	page_run_free(page_at(2, 500), 12 + HUGE_PAGES + 40);
	count();
	cr_expect_null(page_run_alloc_low(&map, 41, end));
	cr_expect_eq(page_run_alloc_low(&map, 20, end), page_at(4, 0));
	cr_expect_eq(page_run_alloc_low(&map, 12, end), page_at(2, 500));
	cr_expect_eq(page_run_alloc_low(&map, 21, end), NULL);
	cr_expect_eq(page_run_alloc_low(&map, 20, end), page_at(4, 20));
	cr_expect_null(page_run_alloc_low(&map, 1, end));
	page_runs_validate();
}

/* What is resident is taken before what is not; each is the lowest of its kind. */
Test(page_huge, resident_pages_are_taken_first, .init = init)
{
	page_run_free(page_at(1, 1), 5);
	page_runs_purge();
	page_run_free(page_at(3, 1), 5);
	page_run_free(page_at(2, 1), 5);
	count();
	cr_expect_eq(page_run_alloc_low(&map, 5, page_at(9, 0)), page_at(2, 1));
	cr_expect_eq(page_run_alloc_low(&map, 5, page_at(9, 0)), page_at(3, 1));
	cr_expect_eq(page_run_alloc_low(&map, 5, page_at(9, 0)), page_at(1, 1));
	page_runs_validate();
}

static size_t dirty_pages(void)
{
	struct page_run_stats stats;

	page_runs_stats(&stats);
	return stats.dirty;
}

Test(page_huge, only_whole_ones_are_purged, .init = init)
{
	memset(arena, 1, HUGES * HUGE_SIZE);
	page_run_free(page_at(1, 500), 12 + 2 * HUGE_PAGES + 3);
	page_run_free(page_at(5, 0), 100); /* whose huge page others use */
	count();
	cr_expect_eq(page_runs_purge_huge(&map), 2);
	cr_expect_eq(dirty_pages(), 12 + 3 + 100);
	cr_expect_eq(*page_at(2, 17), 0, "it went back to the kernel");
	cr_expect_eq(*page_at(5, 17), 1);
	cr_expect_eq(page_runs_purge_huge(&map), 0, "all of it is gone");
	page_runs_validate();
	/* Parts that are zero, and dirty ones around them. */
	page_run_free(page_at(7, 100), 50);
	page_runs_purge();
	page_run_free(page_at(7, 0), 100);
	page_run_free(page_at(7, 150), HUGE_PAGES - 150);
	cr_expect_eq(page_runs_purge_huge(&map), 1, "it is one");
	cr_expect_eq(dirty_pages(), 0);
	page_runs_validate();
}

/* More than is purged at a time. */
Test(page_huge, all_of_them_are_purged, .init = init)
{
	for (size_t i = 1; i < HUGES; i += 2)
		page_run_free(page_at(i, 0), HUGE_PAGES);
	count();
	cr_expect_eq(page_runs_purge_huge(&map), HUGES / 2);
	cr_expect_eq(dirty_pages(), 0);
	page_runs_validate();
}

Test(page_run, a_run_like_another_lies_as_that_does, .init = init)
{
	bool zeroed;

	for (size_t i = 1; i < 40; i++) {
		const char *like = page_at(3, i * 13);
		char *run;

		zeroed = true;
		run = i % 2 ? page_run_alloc_fresh(like, 1 + i * 50)
			    : page_run_alloc_like(like, 1 + i * 50, &zeroed);
		cr_assert_not_null(run);
		cr_expect(!zeroed || (size_t)(run - like) % HUGE_SIZE == 0);
		for (size_t j = 0; zeroed && j < 1 + i * 50; j++)
			cr_assert_eq(run[j * PAGE_SIZE], 0);
		memset(run, 1, (1 + i * 50) * PAGE_SIZE);
		if (i % 3 == 0)
			page_run_free(run, 1 + i * 50);
	}
	page_runs_validate();
	cr_expect_null(page_run_alloc_like(arena, 1ul << 40, &zeroed));
	cr_expect_null(page_run_alloc_fresh(arena, 1ul << 40));
}
