/* SPDX-License-Identifier: MIT */
/* Frees that are not of an object of the calling thread's heap. */
#include <errno.h>

#include "accounting/swap.h"
#include "alloc/base/message.h"
#include "alloc/slab/fast.h"
#include "alloc/slab/purger.h"
#include "alloc/slab/span.h"
#include "alloc/slab/task.h"

__attribute__((noreturn, cold)) static void bad_pointer(const void *object, const char *caller)
{
	size_t offset = (size_t)object - (size_t)page_map.base;

	debug_killed_pointer(slab_of(object), object, caller);

	if (offset < READ_ONCE(page_map.size))
		die("%s(): double free or invalid pointer %p", caller, object);
	die("%s(): invalid pointer %p, not allocated here", caller, object);
}

void slab_free_twice(const void *object, const char *caller)
{
	die("%s(): double free of %p", caller, object);
}

static void uncharge_span_direct(struct slab *span)
{
	struct obj_cgroup *objcg = span->objcg;

	counters_own();
	rcu_take_in_thread();
	lock(objcg_lock(objcg));
	__obj_cgroup_uncharge_span(objcg, (int64_t)slab_bytes(span));
	WRITE_ONCE(span->kind, SLAB_SPAN_GONE);
	unlock(objcg_lock(objcg));
}

/*
 * To who was charged, through a stock of this thread. A count finds it charged until
 * the kind changes: to get and to flush a stock may wait for that, so neither lies in
 * between.
 */
static void uncharge_span(struct slab *span)
{
	struct obj_stock *stock = &current_heap->stock;
	bool too_much;

	if (!(READ_ONCE(span->state) & SPAN_CHARGED)) {
		WRITE_ONCE(span->kind, SLAB_SPAN_GONE);
		return;
	}
	if (unlikely(stock->objcg != span->objcg))
		stock = task_stock_for_free(span->objcg);
	if (unlikely(!stock)) {
		uncharge_span_direct(span);
		return;
	}
	too_much = obj_stock_credit_span(stock, slab_bytes(span));
	WRITE_ONCE(span->kind, SLAB_SPAN_GONE);
	if (unlikely(too_much))
		obj_stock_flush_span(stock, slab_bytes(span));
}

void span_destroy(struct slab *span)
{
	uncharge_span(span);
	span_give_back(span);
}

static void free_span(struct slab *span, void *object, const char *caller)
{
	uint8_t kind = SLAB_SPAN;

	if (unlikely(!span_is_private(span)) && object == span->start && span_free_shared(span))
		return;
	if (object != span->start || !cmpxchg_acq_rel(&span->kind, &kind, SLAB_SPAN_FREED))
		bad_pointer(object, caller);
	span_destroy(span);
	purger_start_in_free();
}

void slab_free_to_slab(struct heap *heap, struct heap_slot *slot, struct slab *slab, void *object,
		       const char *caller, bool too_much)
{
	slot->room++;
	if (unlikely(object == slab->free))
		slab_free_twice(object, caller);
	object_set_next(object, slab->cache->offset, slab->free);
	store_release(&slab->free, object); /* a fork may come in between */
	if (unlikely(--slab->countdown == 0)) {
		int saved_errno = errno;

		slab_event(heap, slab);
		purger_start_in_free();
		errno = saved_errno;
	}
	if (unlikely(too_much))
		slab_free_flush(heap);
}

void slab_free_flush(struct heap *heap)
{
	int saved_errno = errno;

	obj_stock_flush(&heap->stock);
	errno = saved_errno;
}

/* Objects up to this size are passed on by the handful. */
#define AWAY_SIZE 4096

/* Whether the object may go, or goes, with others to another heap of the group. */
static bool free_away(struct heap *heap, struct slab *slab, void *object)
{
	struct heap *to = heap_of_slab(slab);
	struct heap_away *away = heap_away_for(heap, to);

	if (slab->objcg != heap->stock.objcg || slab->size > AWAY_SIZE ||
	    !kmem_cache_is_kmalloc(slab->cache))
		return false;
	if (away->heap != to && !heap_begin_away(heap, to))
		return false;
	if (heap_free_away(away, slab, object))
		heap_pass_on_one(heap, away);
	return true;
}

/*
 * An object of a slab that is not of this thread's heap. The bytes go back to
 * who was charged, through a stock of this thread.
 */
static void free_elsewhere(struct heap *heap, struct slab *slab, void *object)
{
	struct obj_stock *stock = &heap->stock;

	if (unlikely(stock->objcg != slab->objcg)) {
		int saved_errno = errno;

		stock = task_stock_for_free(slab->objcg);
		errno = saved_errno;
	}
	if (unlikely(!stock)) {
		obj_cgroup_uncharge_direct(slab->objcg, slab->size, false);
		remote_free(slab, object);
		return;
	}
	/* Now: after the free, the obj_cgroup may be gone and the stock detached. */
	if (unlikely(obj_stock_credit(stock, slab->size)))
		obj_stock_flush(stock);
	if (!free_away(heap, slab, object))
		remote_free(slab, object);
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

/* What a run of frees elsewhere has to do now and then. */
static noinline void pass_on_and_flush(struct heap *heap, struct heap_away *away, bool full,
				       bool too_much)
{
	int saved_errno = errno;

	if (full)
		heap_pass_on_one(heap, away);
	if (too_much)
		obj_stock_flush(&heap->stock);
	errno = saved_errno;
}

static noinline void free_rest(struct heap *heap, struct slab *slab, void *object,
			       const char *caller)
{
	if (unlikely(READ_ONCE(slab->kind) != SLAB_OBJECTS)) {
		free_other(slab, object, caller);
		return;
	}
	if (unlikely(!slab_has_object(slab, object)))
		bad_pointer(object, caller);
	if (unlikely(heap_of_slab(slab) == heap)) { /* of a cache with a tag */
		heap_free_object(heap, heap_slot(heap, slab->cache), slab, object,
				 slab->cache->offset, caller);
	} else {
		debug_free(slab, object, caller);
		free_elsewhere(heap, slab, object);
	}
}

/*
 * A run of frees elsewhere waits for one cache line after the other; the fewer
 * instructions are between, the more of them are on their way at a time.
 */
void slab_free_slow(void *object, struct slab *slab, const char *caller)
{
	struct heap *heap = current_heap;
	struct heap *to = (struct heap *)READ_ONCE(slab->owner);
	struct heap_away *away = heap_away_for(heap, to);
	bool full, too_much;

	if (unlikely(!to || to != away->heap)) {
		free_rest(heap, slab, object, caller);
		return;
	}
	debug_free(slab, object, caller);
	too_much = obj_stock_credit(&heap->stock, slab->size);
	full = heap_free_away(away, slab, object);
	if (unlikely(full || too_much))
		pass_on_and_flush(heap, away, full, too_much);
}
