/* SPDX-License-Identifier: MIT */
/*
 * Spans that change their size. The charge stays with the content: only the
 * difference is charged or uncharged.
 *
 * A span that has to move for its growth will grow again, so its new run is
 * twice as long as needed. What it does not use yet is address space alone:
 * not charged, not resident. Where it is resident already, it stays free
 * behind the span, which may grow into it if nobody else has taken it by then.
 * Long spans move their page tables instead of their bytes; each such move
 * costs the kernel a mapping, so it must be rare.
 */
#include <errno.h>
#include <string.h>

#include "alloc/base/message.h"
#include "alloc/pages/page_run.h"
#include "alloc/slab/slab.h"

/* From so many pages on it is cheaper to move page tables. */
#define REMAP_PAGES 1024

/* Pages of @span's run that it does not use any more. */
static void free_pages(struct slab *span, char *start, size_t npages)
{
	if (span->moved)
		page_run_free_moved(start, npages);
	else
		page_run_free(start, npages);
}

static void span_shrink(struct slab *span, size_t npages)
{
	/* First: it waits while somebody counts. */
	obj_cgroup_uncharge_span(span->objcg, slab_bytes(span) - (npages << PAGE_SHIFT), NULL);
	span_set_pages(span, npages);
	free_pages(span, span->start + slab_bytes(span), span->capacity - npages);
	span->capacity = (uint32_t)npages;
}

/*
 * Whether room for growth is worth a purge: what was left free behind the span
 * the last time others have taken. So it is not copied at each growth.
 */
static bool wants_room_of_its_own(const struct slab *span, size_t npages)
{
	return npages < 2 * (size_t)span->moved_at;
}

/* A run for @npages and for growth; what is beyond them is not resident, or not its own. */
static char *run_with_room(struct slab *span, size_t npages, size_t *capacity, bool *zeroed)
{
	char *start;

	*capacity = os_address_space_is_limited() ? npages : npages * 2;
	start = page_run_alloc(*capacity, 0, zeroed);
	if (!start) {
		*capacity = npages;
		start = page_run_alloc(npages, 0, zeroed);
	}
	if (!start || *zeroed || *capacity == npages)
		return start;
	if (wants_room_of_its_own(span, npages)) {
		os_purge(start + (npages << PAGE_SHIFT), (*capacity - npages) << PAGE_SHIFT);
	} else {
		page_run_free(start + (npages << PAGE_SHIFT), *capacity - npages);
		*capacity = npages;
	}
	return start;
}

/*
 * Moves the content to *@new, or copies it. *@new may be lost on the way, and
 * another take its place: the kernel unmaps a target before it refuses. Returns
 * whether pages were moved, or -ENOMEM.
 */
static int move_content(struct slab *span, char **new, size_t npages, size_t *capacity, bool zeroed)
{
	/*
	 * To where pages are resident it is cheaper to copy, as they would be lost.
	 * Not twice: a run of two mappings is more than some kernels move.
	 */
	if (zeroed && span_pages(span) >= REMAP_PAGES && !span->moved) {
		int err = os_move(span->start, *new, slab_bytes(span));

		if (!err)
			return true;
		if (err == -EFAULT)
			*new = run_with_room(span, npages, capacity, &zeroed);
	}
	if (!*new)
		return -ENOMEM;
	memcpy(*new, span->start, slab_bytes(span));
	return false;
}

/* The span goes to a run that holds @npages. */
static int span_move(struct slab *span, size_t npages)
{
	size_t capacity;
	bool zeroed;
	char *old = span->start;
	char *new = run_with_room(span, npages, &capacity, &zeroed);
	int moved = new ? move_content(span, &new, npages, &capacity, zeroed) : -ENOMEM;

	if (moved < 0)
		return moved;
	page_map_set(old, PAGE_SIZE, 0);
	free_pages(span, old, span->capacity);
	span->start = new;
	span->moved = (uint8_t)moved;
	span->moved_at = (uint32_t)npages;
	span->capacity = (uint32_t)capacity;
	page_map_set(new, PAGE_SIZE, (uint32_t)(span - slab_table));
	return 0;
}

/* Makes the run at least @npages long, here or elsewhere. */
static int span_make_room(struct slab *span, size_t npages)
{
	bool zeroed;

	if (npages <= span->capacity)
		return 0;
	if (!page_run_extend(span->start, span->capacity, npages - span->capacity, &zeroed))
		return span_move(span, npages);
	span->capacity = (uint32_t)npages;
	return 0;
}

static int span_grow(struct slab *span, gfp_t gfp, size_t npages)
{
	size_t more = (npages - span_pages(span)) << PAGE_SHIFT;

	/* What is more than any run is refused before it shows in a peak. */
	if (npages > page_runs_most())
		return -ENOMEM;
	if (obj_cgroup_charge_span(span->objcg, gfp, more, NULL))
		return -ENOMEM;
	if (span_make_room(span, npages)) {
		obj_cgroup_uncharge_span(span->objcg, more, NULL);
		return -ENOMEM;
	}
	span_set_pages(span, npages);
	return 0;
}

void *span_resize(struct slab *span, gfp_t gfp, size_t npages)
{
	if (npages > span_pages(span)) {
		if (span_grow(span, gfp, npages))
			return NULL;
	} else if (npages < span_pages(span)) {
		span_shrink(span, npages);
	}
	return span->start;
}
