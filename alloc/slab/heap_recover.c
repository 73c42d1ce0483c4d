/* SPDX-License-Identifier: MIT */
/* A heap whose owner was lost in a fork, or freed to by lost threads. */
#include "alloc/slab/heap_slabs.h"

static void recount(struct heap *heap, struct slab *slab, void *arg)
{
	uint32_t free = 0;

	(void)arg;
	for (void *object = slab->free; object; object = object_next(object, slab->cache->offset))
		free++;
	slab->countdown = slab->carved - free;
	slab->reserve = 0;
	slab->recovered = 0;
	heap_note_objects(heap, slab);
	if (slab->place == SLAB_FULL && slab->countdown) {
		hlist_del_init(&slab->node);
		heap_place_full(heap, slab);
	} else if (slab->place == SLAB_FULL) {
		heap_slab_emptied(heap, slab);
	}
}

static void announce_remote(struct heap *heap, struct slab *slab, void *arg)
{
	void *tail;

	(void)arg;
	if (slab->recovered || !remote_count(slab))
		return;
	for (tail = remote_first(slab); object_next(tail, slab->cache->offset);
	     tail = object_next(tail, slab->cache->offset))
		;
	slab->remote_tail = tail;
	heap_push_remote(heap, slab);
}

static void recount_slots(struct heap_slot *slots, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct heap_slot *slot = &slots[i];

		slot->room = slot->max_free;
		for (void *object = slot->freelist; object;
		     object = object_next(object, slab_of(object)->cache->offset))
			slot->room--;
	}
}

void heap_recover(struct heap *heap)
{
	struct slab *slab;

	lock(&heap->lock);
	heap->torn = false;
	recount_slots(heap->slots, SIZE_CLASSES);
	recount_slots(heap->extra_slots, heap->nr_extra);
	heap_recover_away(heap);
	heap_for_each_slab(heap, recount, NULL);
	/* Those announced already; the others only have a list. */
	for (slab = READ_ONCE(heap->remote_slabs); slab; slab = slab->remote_next)
		slab->recovered = 1;
	heap_for_each_slab(heap, announce_remote, NULL);
	unlock(&heap->lock);
}
