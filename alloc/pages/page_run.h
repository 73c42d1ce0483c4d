/* SPDX-License-Identifier: MIT */
/*
 * Page runs: contiguous pages, in units of PAGE_SIZE.
 *
 * Free runs are kept whole, joined with their free neighbours, in bins by
 * length. A run that was used (dirty) and one that reads as zero are kept
 * apart: the first is resident and is handed out first, the second saves a
 * calloc its clearing. Dirty runs go back to the kernel after a decay time, or
 * at once when there is more dirty memory than the process has use for.
 *
 * All functions may be called from any thread; they take page_run_lock.
 */
#ifndef ALLOC_PAGES_PAGE_RUN_H
#define ALLOC_PAGES_PAGE_RUN_H

#include "alloc/base/compiler.h"

struct page_huge_map;

/* Before everything else, once. Returns 0 or -ENOMEM. */
int page_runs_init(void);

/*
 * @align: in bytes, a power of two; 0 for a page's own.
 * Returns NULL if the kernel refuses. *@zeroed: whether the run reads as zero.
 */
void *page_run_alloc(size_t npages, size_t align, bool *zeroed);

/*
 * The same for a run that the content of @like's shall move to: if it reads as zero it
 * lies as far from the last multiple of 2 MiB, so that the kernel moves whole page tables. To one
 * that is resident bytes are to be copied.
 */
void *page_run_alloc_like(const void *like, size_t npages, bool *zeroed);

/* Only one that reads as zero. */
void *page_run_alloc_fresh(const void *like, size_t npages);

/* The longest run there can be, in pages. */
size_t page_runs_most(void);

/* @npages: the length of a run, or of its tail that is given back. */
void page_run_free(void *addr, size_t npages);

/* The same for pages that have not been used for half a second. */
void page_run_free_idle(void *addr, size_t npages);

/* The same for pages that os_move() brought. */
void page_run_free_moved(void *addr, size_t npages);

/*
 * Makes the run longer by @more pages without moving it. Returns whether that
 * was possible; *@zeroed tells of the new pages.
 */
bool page_run_extend(void *addr, size_t npages, size_t more, bool *zeroed);

/*
 * Parts of pages, for what is shorter than a kernel page; others may have the
 * rest of the page. @bytes: as page_run_round() returns them. A part lies at a
 * multiple of its length. Nothing is known of what it reads as.
 */
void *page_part_alloc(size_t bytes);
void page_part_free(void *addr, size_t bytes);

/* The least length of a part or a run that holds so many bytes. */
size_t page_run_round(size_t bytes);

/* Gives all free runs back to the kernel. Returns the number of bytes. */
size_t page_runs_purge(void);

/* The same of up to so many pages, the longest runs first. Returns how many. */
size_t page_runs_purge_some(size_t npages);

/*
 * Gives those back that have been idle for half a second; calls
 * page_purger_rest() if none are left and it @may_rest. For page_purger_run().
 */
void page_runs_decay(bool may_rest);

/* ---- Huge pages; see page_huge.h ------------------------------------------- */

/* How many there are, up to the last one of which anything was handed out. */
uint32_t page_runs_huge(void);

/* Fills @map, of as many huge pages as it says. */
void page_runs_count_huge(struct page_huge_map *map);

/*
 * A run of @npages, up to HUGE_PAGES, that ends at @end or below and is the first in no
 * huge page, as far as @map knows. NULL if none was found.
 */
void *page_run_alloc_low(const struct page_huge_map *map, size_t npages, const void *end);

/*
 * Gives idle pages back that lie in huge pages of which nothing is used. Returns of how
 * many. @map: the caller's, to count anew in.
 */
uint32_t page_runs_purge_huge(struct page_huge_map *map);

struct page_run_stats {
	size_t used;   /* pages handed out */
	size_t dirty;  /* free pages that may be resident */
	size_t mapped; /* pages asked of the kernel so far */
};

void page_runs_stats(struct page_run_stats *stats);

/* Dies if the bins and tags disagree; for tests and debug builds. */
void page_runs_validate(void);

/* See os_area_release(). */
void page_runs_release_reserve(void);

void page_runs_fork_prepare(void);
void page_runs_fork_done(void);

#endif
