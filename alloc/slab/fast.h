/* SPDX-License-Identifier: MIT */
/*
 * The path of nearly every allocation and free, inlined into the exported
 * functions. No atomic, no lock, no RCU; one thread-local word.
 */
#ifndef ALLOC_SLAB_FAST_H
#define ALLOC_SLAB_FAST_H

#include "alloc/slab/debug.h"
#include "alloc/slab/heap.h"

/* NULL, with errno ENOMEM. */
void *slab_alloc_refused(void);

/* The rest of the way, for an empty freelist or a thread without a heap. */
void *slab_alloc_slow(struct kmem_cache *cache, gfp_t gfp);

/* The rest of the way, for an empty stock; used contains the object already. */
void *slab_alloc_refill(struct heap *heap, struct kmem_cache *cache, gfp_t gfp);

/* Everything but an object of the calling thread's heap. */
void slab_free_slow(void *object, struct slab *slab, const char *caller);

/*
 * An object of one of @heap's slabs that finds no room on its freelist, where it
 * was counted. The calling thread owns the heap; the bytes are credited, perhaps
 * too many of them. Keeps errno.
 */
void slab_free_to_slab(struct heap *heap, struct heap_slot *slot, struct slab *slab, void *object,
		       const char *caller, bool too_much);

/* After a free by the owner: the stock holds too much. Keeps errno. */
void slab_free_flush(struct heap *heap);

/* The object that was freed last is freed again: dies. */
__attribute__((noreturn, cold)) void slab_free_twice(const void *object, const char *caller);

/* A block larger than KMALLOC_MAX_CACHE_SIZE: a span. */
void *kmalloc_large(size_t size, size_t align, gfp_t gfp, bool *zeroed);

/*
 * Takes the first object off the freelist. The next will be wanted soon, and its
 * link lies in a cache line that was last touched long ago, perhaps.
 */
static __always_inline_fn void *heap_slot_pop(struct heap_slot *slot, void *object,
					      unsigned int offset)
{
	void *next = object_next(object, offset);

	__builtin_prefetch(next, 1);
	slot->freelist = next;
	slot->room++;
	debug_alloc(object, offset);
	return object;
}

/* NULL with errno set; the object may read as anything. */
static __always_inline_fn void *kmalloc_fast(size_t size, gfp_t gfp)
{
	struct heap *heap = current_heap;
	struct heap_slot *slot;
	void *object;

	if (likely(size <= HEAP_LOOKUP))
		slot = heap_slot_of_small(heap, size);
	else if (likely(size <= KMALLOC_MAX_CACHE_SIZE))
		slot = &heap->slots[size_class(size)];
	else
		return kmalloc_large(size, 0, gfp, NULL);
	object = slot->freelist;
	if (unlikely(!object))
		return slab_alloc_slow(&kmalloc_caches[slot - heap->slots], gfp);
	if (unlikely(!obj_stock_take(&heap->stock, slot->size)))
		return slab_alloc_refill(heap, &kmalloc_caches[slot - heap->slots], gfp);
	return heap_slot_pop(slot, object, 0);
}

/* An object of one of @heap's slabs, which the calling thread owns. */
static __always_inline_fn void heap_free_object(struct heap *heap, struct heap_slot *slot,
						struct slab *slab, void *object,
						unsigned int offset, const char *caller)
{
	void *first = slot->freelist;
	bool too_much;

	debug_free(slab, object, caller);
	if (unlikely(object == first))
		slab_free_twice(object, caller);
	too_much = obj_stock_credit(&heap->stock, slab->size);
	if (unlikely(--slot->room < 0)) {
		slab_free_to_slab(heap, slot, slab, object, caller, too_much);
		return;
	}
	object_set_next(object, offset, first);
	store_release(&slot->freelist, object); /* a fork may come in between */
	if (unlikely(too_much))
		slab_free_flush(heap);
}

static __always_inline_fn void kfree_fast(void *object, const char *caller)
{
	struct slab *slab = slab_of(object);
	struct heap *heap = current_heap;

	if (likely(READ_ONCE(slab->owner) == (uintptr_t)heap))
		heap_free_object(heap, slab->slot, slab, object, 0, caller);
	else
		slab_free_slow(object, slab, caller);
}

#endif
