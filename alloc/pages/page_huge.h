/* SPDX-License-Identifier: MIT */
/*
 * Huge pages: HUGE_PAGES at a multiple of as many, which the kernel can map by one
 * entry. Here is found which of them are free but for some runs, and where to
 * those runs may go so that no other huge page is broken for it. The caller locks.
 */
#ifndef ALLOC_PAGES_PAGE_HUGE_H
#define ALLOC_PAGES_PAGE_HUGE_H

#include "alloc/base/os.h"

struct page_bins;

#define HUGE_SHIFT 21
#define HUGE_SIZE  (1ul << HUGE_SHIFT)
#define HUGE_PAGES (HUGE_SIZE >> PAGE_SHIFT)

/* In place of HUGE_PAGES, of one that page_runs_purge_huge() has counted. */
#define HUGE_PURGED (HUGE_PAGES + 1)

/* How many pages are free in each huge page; its user's own, so soon out of date. */
struct page_huge_map {
	uint16_t *free; /* up to HUGE_PAGES; HUGE_PURGED */
	uint32_t nr;
};

static inline bool page_huge_is_free(const struct page_huge_map *map, uint32_t huge)
{
	return huge < map->nr && map->free[huge] >= HUGE_PAGES;
}

/* Adds what is free in @bins. */
void page_huge_count(struct page_huge_map *map, const struct page_bins *bins);

/*
 * The lowest @npages, HUGE_PAGES at most, in runs of @bins that end at page @end or
 * below, and lie in huge pages of which others are in use already. *@run: the first
 * page of the run they are in. 0 if none was found.
 */
uint32_t page_huge_find_low(const struct page_huge_map *map, const struct page_bins *bins,
			    uint32_t npages, uint32_t end, uint32_t *run);

/*
 * The part of the free run at @first that lies in huge pages all of which are free:
 * *@npages pages from the one returned on, or 0.
 */
uint32_t page_huge_free_part(const struct page_huge_map *map, const struct page_bins *bins,
			     uint32_t first, uint32_t *npages);

/* Notes that such a part was purged. Returns for how many huge pages that is new. */
uint32_t page_huge_note_purged(struct page_huge_map *map, uint32_t first, uint32_t npages);

#endif
