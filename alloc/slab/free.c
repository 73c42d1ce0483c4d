/* SPDX-License-Identifier: MIT */
/* Frees that are not of an object of the calling thread's heap. */
#include <errno.h>

#include "alloc/base/message.h"
#include "alloc/slab/fast.h"
#include "alloc/slab/purger.h"
#include "alloc/slab/task.h"

__attribute__((noreturn, cold)) static void bad_pointer(const void *object, const char *caller)
{
	size_t offset = (size_t)object - (size_t)page_map.base;

	if (offset < READ_ONCE(page_map.size))
		die("%s(): double free or invalid pointer %p", caller, object);
	die("%s(): invalid pointer %p, not allocated here", caller, object);
}

void slab_free_twice(const void *object, const char *caller)
{
	die("%s(): double free of %p", caller, object);
}

static void free_span(struct slab *span, void *object, const char *caller)
{
	uint8_t kind = SLAB_SPAN;

	if (object != span->start || !cmpxchg_acq_rel(&span->kind, &kind, SLAB_SPAN_FREED))
		bad_pointer(object, caller);
	span_destroy(span);
	purger_start_in_free();
}

void slab_free_event(struct heap *heap, struct slab *slab)
{
	int saved_errno = errno;

	if (slab->countdown == 0)
		slab_event(heap, slab);
	if (READ_ONCE(heap->stock.used) < READ_ONCE(heap->stock.floor))
		obj_stock_flush(&heap->stock);
	purger_start_in_free();
	errno = saved_errno;
}

/*
 * An object of a slab that is not of this thread's heap. The bytes go back to
 * who was charged, through a stock of this thread.
 */
static void free_elsewhere(struct slab *slab, void *object)
{
	struct obj_stock *stock = &current_heap->stock;
	bool too_much;

	if (unlikely(stock->objcg != slab->objcg)) {
		int saved_errno = errno;

		stock = task_stock(slab->objcg);
		errno = saved_errno;
	}
	if (unlikely(!stock)) {
		obj_cgroup_uncharge_direct(slab->objcg, slab->size, false);
		remote_free(slab, object);
		return;
	}
	too_much = obj_stock_credit(stock, slab->size);
	remote_free(slab, object); /* the slab may be gone after this */
	if (unlikely(too_much))
		obj_stock_flush(stock);
}

/* Neither here nor elsewhere: a span, NULL, or no block at all. */
static void free_other(struct slab *slab, void *object, const char *caller)
{
	int saved_errno = errno;

	if (!object)
		return;
	if (READ_ONCE(slab->kind) != SLAB_SPAN)
		bad_pointer(object, caller);
	free_span(slab, object, caller);
	errno = saved_errno;
}

void slab_free_slow(struct slab *slab, void *object, const char *caller)
{
	struct heap *heap = current_heap;

	if (unlikely(READ_ONCE(slab->kind) != SLAB_OBJECTS)) {
		free_other(slab, object, caller);
		return;
	}
	if (unlikely(!slab_has_object(slab, object)))
		bad_pointer(object, caller);
	debug_free(slab, object, caller);
	if (unlikely(heap_of_slab(slab) == heap)) /* of a cache with a tag */
		heap_free_object(heap, slab, object, slab->cache->offset);
	else
		free_elsewhere(slab, object);
}
