/* SPDX-License-Identifier: MIT */
/*
 * Free page runs by length: two-level segregated fit.
 *
 * Runs below 16 pages have a bin for each length, longer ones eight bins for
 * each doubling. A bitmap says which bins hold anything, so finding one that
 * surely fits takes constant time. The caller locks.
 */
#ifndef ALLOC_PAGES_PAGE_BINS_H
#define ALLOC_PAGES_PAGE_BINS_H

#include "alloc/base/compiler.h"

#define PAGE_BINS 256

enum page_state {
	PAGE_USED, /* handed out, or not at the border of a free run */
	PAGE_DIRTY,
	PAGE_ZERO,
};

/*
 * One for each page. Valid at the first and the last page of every run:
 * neighbours look there to join. That of a page that is handed out in parts has
 * another meaning, but for its state; see page_parts.h. 16 bytes.
 */
struct page_tag {
	uint32_t next, prev; /* first page: the bin's list; 0 ends it */
	uint32_t npages;     /* 0 stands for PAGE_USED's "unknown" */
	uint32_t state : 2;
	uint32_t freed_at : 30; /* dirty runs: when, in clock ticks */
};

struct page_bins {
	struct page_tag *tags; /* indexed by page number; page 0 is never free */
	uint64_t nonempty[PAGE_BINS / 64];
	uint32_t head[PAGE_BINS]; /* first page of the first run, or 0 */
	size_t npages;		  /* sum over all runs */
};

void page_bins_add(struct page_bins *bins, uint32_t first, uint32_t npages, enum page_state state,
		   uint32_t now);
void page_bins_del(struct page_bins *bins, uint32_t first);

/*
 * First page of a run of at least @npages, left in its bin; 0 if none was
 * found.
 */
uint32_t page_bins_find(const struct page_bins *bins, uint32_t npages);

/* The bin of runs of so many pages; those of longer ones come later. */
unsigned int page_bins_bin(uint32_t npages);

/* The first bin, from @bin on, that holds anything; PAGE_BINS if none. */
unsigned int page_bins_next(const struct page_bins *bins, unsigned int bin);

/* The last bin before @bin that holds anything; PAGE_BINS if none. */
unsigned int page_bins_last(const struct page_bins *bins, unsigned int bin);

#endif
