/* SPDX-License-Identifier: MIT */
#include "alloc/slab/span_move.h"

#include <errno.h>
#include <string.h>

#include "alloc/pages/page_run.h"
#include "alloc/slab/span.h"

/*
 * From so many pages on it is cheaper to move page tables. Each such move costs the
 * kernel one or two mappings until the run is free, of which a process has 65530.
 */
#define REMAP_PAGES 1024

void span_run_free_pages(const struct span_run *run, char *start, size_t npages)
{
	if (run->moved)
		page_run_free_moved(start, npages);
	else
		page_run_free(start, npages);
}

bool span_wants_remap(const struct slab *span)
{
	/* Not twice: a run of two mappings is more than some kernels move. */
	return span_pages(span) >= REMAP_PAGES && !span->moved;
}

int span_remap(struct slab *span, struct span_run *to)
{
	int err = os_move(span->start, to->start, slab_bytes(span));

	to->moved = !err;
	return err;
}

void span_copy(const struct slab *span, struct span_run *to)
{
	memcpy(to->start, span->start, slab_bytes(span));
	to->moved = false;
}

void span_set_run(struct slab *span, const struct span_run *run)
{
	page_map_set(span->start, PAGE_SIZE, 0);
	WRITE_ONCE(span->start, run->start); /* compaction looks */
	span->capacity = run->capacity;
	span->moved = run->moved;
	span_run_map(span);
}

void span_exchange_runs(struct slab *a, struct slab *b)
{
	struct span_run run = span_run_of(a);

	WRITE_ONCE(a->start, b->start);
	a->capacity = b->capacity;
	a->moved = b->moved;
	WRITE_ONCE(b->start, run.start);
	b->capacity = run.capacity;
	b->moved = run.moved;
	span_run_map(a);
	span_run_map(b);
}
