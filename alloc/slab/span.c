/* SPDX-License-Identifier: MIT */
/*
 * Spans that change their size. The charge stays with the content: only the
 * difference is charged or uncharged.
 *
 * A span that has to move for its growth will grow again, so its new run is
 * twice as long as needed. What it does not use yet is address space alone:
 * not charged, not resident. Long spans move their page tables instead of
 * their bytes; each such move costs the kernel a mapping, so it must be rare.
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
		os_renew(start, npages << PAGE_SHIFT);
	page_run_free(start, npages);
}

static void span_shrink(struct slab *span, size_t npages)
{
	/* First: it waits while somebody counts. */
	obj_cgroup_uncharge_span(span->objcg, slab_bytes(span) - (npages << PAGE_SHIFT));
	span->npages = (uint32_t)npages;
	free_pages(span, span->start + slab_bytes(span), span->capacity - npages);
	span->capacity = (uint32_t)npages;
}

/* A run for @npages and for growth; what is beyond them is not resident. */
static char *run_with_room(size_t npages, size_t *capacity)
{
	bool zeroed;
	char *start;

	*capacity = os_address_space_is_limited() ? npages : npages * 2;
	start = page_run_alloc(*capacity, 0, &zeroed);
	if (!start) {
		*capacity = npages;
		start = page_run_alloc(npages, 0, &zeroed);
	}
	if (start && !zeroed && *capacity > npages)
		os_purge(start + (npages << PAGE_SHIFT), (*capacity - npages) << PAGE_SHIFT);
	return start;
}

/* The content of @span goes to a run that holds @npages. */
static int span_move(struct slab *span, size_t npages)
{
	size_t capacity;
	char *old = span->start;
	char *new = run_with_room(npages, &capacity);
	bool remapped;

	if (!new)
		return -ENOMEM;
	remapped = span->npages >= REMAP_PAGES && !os_move(old, new, slab_bytes(span));
	if (!remapped)
		memcpy(new, old, slab_bytes(span));
	page_map_set(old, 1, 0);
	free_pages(span, old, span->capacity);
	span->start = new;
	span->moved = remapped;
	span->capacity = (uint32_t)capacity;
	page_map_set(new, 1, (uint32_t)(span - slab_table));
	return 0;
}

static int span_grow(struct slab *span, gfp_t gfp, size_t npages)
{
	size_t more = npages - span->npages;
	bool zeroed;

	if (obj_cgroup_charge_span(span->objcg, gfp, more << PAGE_SHIFT))
		return -ENOMEM;
	if (npages > span->capacity) {
		size_t missing = npages - span->capacity;

		if (page_run_extend(span->start, span->capacity, missing, &zeroed)) {
			span->capacity = (uint32_t)npages;
		} else if (span_move(span, npages)) {
			obj_cgroup_uncharge_span(span->objcg, more << PAGE_SHIFT);
			return -ENOMEM;
		}
	}
	span->npages = (uint32_t)npages;
	return 0;
}

void *span_resize(struct slab *span, gfp_t gfp, size_t npages)
{
	if (npages > span->npages) {
		if (span_grow(span, gfp, npages))
			return NULL;
	} else if (npages < span->npages) {
		span_shrink(span, npages);
	}
	return span->start;
}
