/* SPDX-License-Identifier: MIT */
#include "alloc/pages/page_huge.h"

#include "alloc/pages/page_bins.h"

/* So many runs are looked at for the lowest one. */
#define PROBES 4096

static uint32_t huge_of(uint32_t page)
{
	return page / HUGE_PAGES;
}

static void count_run(struct page_huge_map *map, uint32_t first, uint32_t npages)
{
	while (npages && huge_of(first) < map->nr) {
		uint32_t n = min_t(uint32_t, npages, HUGE_PAGES - first % HUGE_PAGES);

		map->free[huge_of(first)] += n;
		first += n;
		npages -= n;
	}
}

void page_huge_count(struct page_huge_map *map, const struct page_bins *bins)
{
	for (unsigned int bin = page_bins_next(bins, 0); bin < PAGE_BINS;
	     bin = page_bins_next(bins, bin + 1))
		for (uint32_t first = bins->head[bin]; first; first = bins->tags[first].next)
			count_run(map, first, bins->tags[first].npages);
}

/* Whether it would be the first to use one of its huge pages. */
static bool breaks_one(const struct page_huge_map *map, uint32_t page, uint32_t npages)
{
	return page_huge_is_free(map, huge_of(page)) ||
	       page_huge_is_free(map, huge_of(page + npages - 1));
}

/* In one run: at its start, or else where its last huge page begins; 0 if neither will do. */
static uint32_t find_in_run(const struct page_huge_map *map, uint32_t first, uint32_t run_end,
			    uint32_t npages)
{
	uint32_t last = max_t(uint32_t, first, (run_end - 1) / HUGE_PAGES * HUGE_PAGES);

	if (first + npages <= run_end && !breaks_one(map, first, npages))
		return first;
	if (last + npages <= run_end && !breaks_one(map, last, npages))
		return last;
	return 0;
}

uint32_t page_huge_find_low(const struct page_huge_map *map, const struct page_bins *bins,
			    uint32_t npages, uint32_t end, uint32_t *run)
{
	uint32_t lowest = 0;
	int probes = 0;

	for (unsigned int bin = page_bins_next(bins, page_bins_bin(npages)); bin < PAGE_BINS;
	     bin = page_bins_next(bins, bin + 1)) {
		for (uint32_t first = bins->head[bin]; first; first = bins->tags[first].next) {
			uint32_t found;

			if (probes++ == PROBES)
				return lowest;
			if (first + npages > (lowest ? lowest : end))
				continue;
			found = find_in_run(map, first, first + bins->tags[first].npages, npages);
			if (!found || found + npages > (lowest ? lowest : end))
				continue;
			lowest = found;
			*run = first;
		}
	}
	return lowest;
}

uint32_t page_huge_free_part(const struct page_huge_map *map, const struct page_bins *bins,
			     uint32_t first, uint32_t *npages)
{
	uint32_t end = first + bins->tags[first].npages;
	uint32_t start = first;

	/* Those in the middle are all free, as the run holds them. */
	if (!page_huge_is_free(map, huge_of(start)))
		start = (huge_of(start) + 1) * HUGE_PAGES;
	if (!page_huge_is_free(map, huge_of(end - 1)))
		end = huge_of(end - 1) * HUGE_PAGES;
	if (start >= end)
		return 0;
	*npages = end - start;
	return start;
}

uint32_t page_huge_note_purged(struct page_huge_map *map, uint32_t first, uint32_t npages)
{
	uint32_t last = huge_of(first + npages - 1), new = 0;

	for (uint32_t huge = huge_of(first); huge <= last && huge < map->nr; huge++) {
		if (map->free[huge] != HUGE_PAGES)
			continue;
		map->free[huge] = HUGE_PURGED;
		new ++;
	}
	return new;
}
