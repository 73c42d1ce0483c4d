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

#include "alloc/pages/page_run.h"
#include "alloc/slab/span_move.h"

static void span_shrink(struct slab *span, size_t npages)
{
	struct span_run run = span_run_of(span);

	/* First: it waits while somebody counts. */
	obj_cgroup_uncharge_span(span->objcg, slab_bytes(span) - (npages << PAGE_SHIFT));
	span_set_pages(span, npages);
	span_run_free_pages(&run, span->start + slab_bytes(span), span->capacity - npages);
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

static char *alloc_target(const struct slab *span, size_t npages, bool *zeroed)
{
	if (span_wants_remap(span))
		return page_run_alloc_like(span->start, npages, zeroed);
	return page_run_alloc(npages, 0, zeroed);
}

/* A run for @npages and for growth; what is beyond them is not resident, or not its own. */
static struct span_run run_with_room(struct slab *span, size_t npages, bool *zeroed)
{
	size_t most = os_address_space_is_limited() ? npages : npages * 2;
	struct span_run run = {.capacity = (uint32_t)most};

	run.start = alloc_target(span, most, zeroed);
	if (!run.start) {
		run.capacity = (uint32_t)npages;
		run.start = alloc_target(span, npages, zeroed);
	}
	if (!run.start || *zeroed || run.capacity == npages)
		return run;
	if (wants_room_of_its_own(span, npages)) {
		os_purge(run.start + (npages << PAGE_SHIFT), (most - npages) << PAGE_SHIFT);
	} else {
		page_run_free(run.start + (npages << PAGE_SHIFT), most - npages);
		run.capacity = (uint32_t)npages;
	}
	return run;
}

/* The span goes to a run that holds @npages. */
static int span_move(struct slab *span, size_t npages)
{
	struct span_run old = span_run_of(span);
	bool zeroed;
	struct span_run new = run_with_room(span, npages, &zeroed);
	int err = -ENOMEM;

	/* To where pages are resident it is cheaper to copy, as they would be lost. */
	if (new.start && zeroed &&span_wants_remap(span))
		err = span_remap(span, &new);
	if (err == -EFAULT)
		new = run_with_room(span, npages, &zeroed);
	if (!new.start)
		return -ENOMEM;
	if (err)
		span_copy(span, &new);
	span_set_run(span, &new);
	span->moved_at = (uint32_t)npages;
	span_run_free(&old);
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
	if (obj_cgroup_charge_span(span->objcg, gfp, more))
		return -ENOMEM;
	if (span_make_room(span, npages)) {
		obj_cgroup_uncharge_span(span->objcg, more);
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
