/* SPDX-License-Identifier: MIT */
/* Frees that are not of an object of the calling thread's heap. */
#include <errno.h>

#include "alloc/base/message.h"
#include "alloc/slab/fast.h"
#include "alloc/slab/task.h"

__attribute__((noreturn, cold)) static void bad_pointer(const void *object, const char *caller)
{
	size_t offset = (size_t)object - (size_t)page_map.base;

	if (offset < READ_ONCE(page_map.size))
		die("%s(): double free or invalid pointer %p", caller, object);
	die("%s(): invalid pointer %p, not allocated here", caller, object);
}

static void free_span(struct slab *span, void *object, const char *caller)
{
	if (object != span->start ||
	    __atomic_exchange_n(&span->kind, SLAB_NONE, __ATOMIC_ACQ_REL) != SLAB_SPAN)
		bad_pointer(object, caller);
	span_destroy(span);
}

void slab_free_event(struct heap *heap, struct slab *slab)
{
	int saved_errno = errno;

	if (slab->countdown == 0)
		slab_event(heap, slab);
	if (READ_ONCE(heap->stock.used) < READ_ONCE(heap->stock.floor))
		obj_stock_flush(&heap->stock);
	errno = saved_errno;
}

/* The bytes go back to who was charged, through a stock of this thread. */
static void credit_and_free(struct slab *slab, void *object)
{
	struct obj_stock *stock = task_stock(slab->objcg);
	bool too_much = false;

	if (likely(stock))
		too_much = obj_stock_credit(stock, slab->size);
	else
		obj_cgroup_uncharge_direct(slab->objcg, slab->size, false);
	remote_free(slab, object); /* the slab may be gone after this */
	if (unlikely(too_much))
		obj_stock_flush(stock);
}

void slab_free_slow(struct slab *slab, void *object, const char *caller)
{
	int saved_errno = errno;
	struct heap *heap = current_heap;

	if (!object)
		return;
	switch (READ_ONCE(slab->kind)) {
	case SLAB_OBJECTS:
		if (unlikely(!slab_has_object(slab, object)))
			bad_pointer(object, caller);
		debug_free(slab, object, caller);
		if (heap_of_slab(slab) == heap && heap != &heap_none)
			heap_free_object(heap, slab, object, slab->cache->offset);
		else
			credit_and_free(slab, object);
		break;
	case SLAB_SPAN:
		free_span(slab, object, caller);
		break;
	default:
		bad_pointer(object, caller);
	}
	errno = saved_errno;
}
