/* SPDX-License-Identifier: MIT */
/*
 * Spans change their size in place, or move their pages without copying. The
 * charge stays with the content: only the difference is charged or uncharged.
 */
#include <errno.h>

#include "alloc/base/message.h"
#include "alloc/pages/page_run.h"
#include "alloc/slab/slab.h"

/* Pages of @span that it does not use any more. */
static void free_pages(struct slab *span, char *start, size_t npages)
{
	if (span->moved)
		os_renew(start, npages << PAGE_SHIFT);
	page_run_free(start, npages);
}

static int span_grow(struct slab *span, gfp_t gfp, size_t more)
{
	bool zeroed;

	if (obj_cgroup_charge_span(span->objcg, gfp, more << PAGE_SHIFT))
		return -ENOMEM;
	if (!page_run_extend(span->start, span->npages, more, &zeroed)) {
		obj_cgroup_uncharge_span(span->objcg, more << PAGE_SHIFT);
		return -ENOSPC;
	}
	span->npages += (uint32_t)more;
	return 0;
}

static void span_shrink(struct slab *span, size_t less)
{
	/* First: it waits while somebody counts. */
	obj_cgroup_uncharge_span(span->objcg, less << PAGE_SHIFT);
	span->npages -= (uint32_t)less;
	free_pages(span, span->start + slab_bytes(span), less);
}

int span_resize(struct slab *span, gfp_t gfp, size_t npages)
{
	if (npages > span->npages)
		return span_grow(span, gfp, npages - span->npages);
	if (npages < span->npages)
		span_shrink(span, span->npages - npages);
	return 0;
}

void *span_move(struct slab *span, gfp_t gfp, size_t npages)
{
	size_t more = npages - span->npages;
	char *old = span->start;
	bool zeroed;
	char *new;

	if (obj_cgroup_charge_span(span->objcg, gfp, more << PAGE_SHIFT))
		return NULL;
	new = page_run_alloc(npages, 0, &zeroed);
	if (!new)
		goto uncharge;
	if (os_move(old, new, slab_bytes(span))) {
		page_run_free(new, npages);
		goto uncharge;
	}
	page_map_set(old, 1, 0);
	free_pages(span, old, span->npages);
	span->start = new;
	span->moved = true;
	span->npages = (uint32_t)npages;
	page_map_set(new, 1, (uint32_t)(span - slab_table));
	return new;
uncharge:
	obj_cgroup_uncharge_span(span->objcg, more << PAGE_SHIFT);
	return NULL;
}
