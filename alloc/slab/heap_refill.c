/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "alloc/base/meta.h"
#include "alloc/slab/heap_slabs.h"
#include "alloc/slab/task.h"

/* So much is carved at once: enough to amortise, few pages touched too early. */
#define CARVE_BYTES 4096
#define CARVE_LEAST 4

static int grow_extra(struct heap *heap, const struct kmem_cache *cache)
{
	uint32_t old = heap->nr_extra;
	uint32_t nr = max_t(uint32_t, old * 2, cache->id + 1 - SIZE_CLASSES);
	void **freelist;
	struct heap_slot *slots;

	nr = (uint32_t)round_up_to(nr, 8);
	freelist = meta_alloc(nr * sizeof(*freelist));
	slots = meta_alloc(nr * sizeof(*slots));
	if (!freelist || !slots) {
		meta_free(freelist, nr * sizeof(*freelist));
		meta_free(slots, nr * sizeof(*slots));
		return -ENOMEM;
	}
	if (old) {
		memcpy(freelist, heap->extra_freelist, old * sizeof(*freelist));
		memcpy(slots, heap->extra_slots, old * sizeof(*slots));
	}
	for (uint32_t i = 0; i < old; i++) /* the heads have moved */
		if (slots[i].partial.first)
			slots[i].partial.first->pprev = &slots[i].partial.first;
	meta_free(heap->extra_freelist, old * sizeof(*freelist));
	meta_free(heap->extra_slots, old * sizeof(*slots));
	heap->extra_freelist = freelist;
	heap->extra_slots = slots;
	heap->nr_extra = nr;
	return 0;
}

/* Constructors may allocate, but the thread stays with this heap meanwhile. */
static void carve_active(struct heap *heap, struct slab *slab)
{
	uint32_t want = max_t(uint32_t, CARVE_BYTES / slab->size, CARVE_LEAST);
	struct task *task = current_task;
	void *objects;

	if (task)
		task->pinned++;
	objects = slab_carve(slab, want);
	if (task)
		task->pinned--;
	heap_note_objects(heap, slab);
	*heap_freelist(heap, slab->cache) = objects;
}

/* The first slabs of a heap are small, so that small groups stay small. */
static size_t next_slab_pages(const struct kmem_cache *cache, const struct heap_slot *slot)
{
	size_t pages = cache->min_pages;

	for (uint32_t n = slot->nr_slabs; n && pages < cache->max_pages; n--)
		pages *= 2;
	return min_t(size_t, pages, cache->max_pages);
}

static int add_slab(struct heap *heap, struct kmem_cache *cache)
{
	struct heap_slot *slot = heap_slot(heap, cache);
	struct slab *slab =
		slab_create(cache, heap->stock.objcg, (uintptr_t)heap + cache->owner_tag,
			    next_slab_pages(cache, slot));

	if (!slab)
		return -ENOMEM;
	slot->nr_slabs++;
	heap_place_active(heap, slab);
	return 0;
}

/* Leaves an active slab with objects on the freelist or still to carve. heap->lock. */
static int refill_locked(struct heap *heap, struct kmem_cache *cache)
{
	struct heap_slot *slot = heap_slot(heap, cache);
	struct slab *active = slot->active;

	heap_collect_remote(heap);
	if (active && active->free) {
		heap_place_active(heap, active);
		return 0;
	}
	if (active) {
		if (active->carved < active->nr)
			return 0;
		slot->active = NULL;
		heap_place_full(heap, active);
	}
	if (slot->partial.first) {
		heap_place_active(heap, container_of(slot->partial.first, struct slab, node));
		return 0;
	}
	if (heap_reuse_empty(heap, cache))
		return 0;
	return add_slab(heap, cache);
}

/*
 * What was freed to the active slab becomes its freelist again. All of that is
 * the owner's, so no lock; the most frequent refill by far.
 */
static bool reuse_active(struct heap *heap, struct kmem_cache *cache)
{
	struct slab *active;

	if (unlikely(!heap_has_slot(heap, cache)))
		return false;
	if (unlikely(*heap_freelist(heap, cache))) /* the thread just got the heap */
		return true;
	active = heap_slot(heap, cache)->active;
	if (!active || !active->free)
		return false;
	heap_place_active(heap, active);
	return true;
}

int heap_refill(struct heap *heap, struct kmem_cache *cache)
{
	int ret = 0;

	if (unlikely(heap->torn))
		heap_recover(heap);
	if (reuse_active(heap, cache))
		return 0;
	lock(&heap->lock);
	if (unlikely(heap->caches_died != READ_ONCE(caches_died)))
		heap_bury_dead(heap);
	if (unlikely(!heap_has_slot(heap, cache)))
		ret = grow_extra(heap, cache);
	if (!ret)
		ret = refill_locked(heap, cache);
	unlock(&heap->lock);
	/* Constructors run without the lock, as they may allocate. */
	if (!ret && !*heap_freelist(heap, cache))
		carve_active(heap, heap_slot(heap, cache)->active);
	return ret;
}
