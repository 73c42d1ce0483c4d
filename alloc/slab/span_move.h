/* SPDX-License-Identifier: MIT */
/*
 * Runs, and how the content of a span gets from one to another. The charge stays with
 * the span, whichever run it has. The caller has the span to itself: it is BUSY, or a
 * block of malloc() of the caller's own.
 */
#ifndef ALLOC_SLAB_SPAN_MOVE_H
#define ALLOC_SLAB_SPAN_MOVE_H

#include "alloc/slab/slab.h"

/* Where the content of a span lies, or may lie. */
struct span_run {
	char *start;
	uint32_t capacity; /* pages */
	bool moved;	   /* it has pages that os_move() brought */
};

static inline struct span_run span_run_of(const struct slab *span)
{
	return (struct span_run){span->start, span->capacity, span->moved};
}

/* Gives it back, or @npages of it from @start on. */
void span_run_free_pages(const struct span_run *run, char *start, size_t npages);

static inline void span_run_free(const struct span_run *run)
{
	span_run_free_pages(run, run->start, run->capacity);
}

/*
 * Whether it is better to move page tables than bytes: then it pays to have a target that
 * is not resident, and lies as page_run_alloc_fresh() says.
 */
bool span_wants_remap(const struct slab *span);

/*
 * Moves the pages of the content to @to, which reads as zero so far; the old run reads as
 * zero then. Returns 0, -ENOMEM with nothing moved, or -EFAULT with nothing moved and
 * @to lost: the kernel unmaps a target before it refuses.
 */
int span_remap(struct slab *span, struct span_run *to);

/* The same by a copy: the old run stays as it is. */
void span_copy(const struct slab *span, struct span_run *to);

/* From now on the span has this run, which has its content. The old one is the caller's. */
void span_set_run(struct slab *span, const struct span_run *run);

/* Each gets the other's run, with what is in it, and must have room in that. */
void span_exchange_runs(struct slab *a, struct slab *b);

#endif
