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

/* Before everything else, once. Returns 0 or -ENOMEM. */
int page_runs_init(void);

/*
 * @align: in bytes, a power of two; 0 for a page's own.
 * Returns NULL if the kernel refuses. *@zeroed: whether the run reads as zero.
 */
void *page_run_alloc(size_t npages, size_t align, bool *zeroed);

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
