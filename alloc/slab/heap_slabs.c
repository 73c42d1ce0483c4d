/* SPDX-License-Identifier: MIT */
/*
 * The slabs of a heap, and how they move between its lists.
 *
 *                    all on freelists, or live
 *   new --> partial --------------------------> full
 *             ^  ^ \                              |
 *      refill |  |  \ all freed        some freed |
 *             |  |   v                            |
 *            empty   +----------------------------+
 *              |     |
 *              |<----+ all freed
 *              +----> destroyed: too many
 */
#include "alloc/slab/heap_slabs.h"

/* So much an owner keeps in empty slabs, and so many, for they are searched. */
#define EMPTY_BYTES (512u << 10)
#define EMPTY_SLABS 32

/* How many freelists a refill looks at. */
#define IDLE_SLOTS 4

/* A full slab comes back when this part of its objects has been freed. */
#define WAKE_SHIFT 3

/* ---- Lists -------------------------------------------------------------- */

void heap_note_objects(struct heap *heap, struct slab *slab)
{
	uint32_t used = slab_used(slab);

	heap->stock.objects += (int64_t)used - slab->noted;
	slab->noted = used;
}

void heap_place_full(struct heap *heap, struct slab *slab)
{
	uint32_t used = slab_used(slab);

	slab->place = SLAB_FULL;
	slab->countdown = max_t(uint32_t, used >> WAKE_SHIFT, 1);
	slab->reserve = used - slab->countdown;
	hlist_add_head(&slab->node, &heap->full);
}

void heap_place_partial(struct heap *heap, struct slab *slab)
{
	slab->place = SLAB_PARTIAL;
	slab->countdown = slab_used(slab);
	slab->reserve = 0;
	hlist_add_head(&slab->node, &heap_slot(heap, slab->cache)->partial);
}

/* What was freed to the slab goes to the freelist, which is empty. */
static void take_free(struct heap *heap, struct heap_slot *slot, struct slab *slab)
{
	slot->room -= (int32_t)(slab->carved - slab_used(slab));
	slot->freelist = slab->free;
	slab->free = NULL;
	slab->countdown = slab->carved;
	slab->reserve = 0;
	heap_note_objects(heap, slab);
}

struct slab *heap_take_partial(struct heap *heap, struct heap_slot *slot)
{
	struct slab *slab = container_of(slot->partial.first, struct slab, node);

	if (slab->free)
		take_free(heap, slot, slab);
	if (slab->carved < slab->nr)
		return slab;
	hlist_del_init(&slab->node);
	heap_place_full(heap, slab);
	return slab;
}

static void place_empty(struct heap *heap, struct slab *slab)
{
	slab->place = SLAB_EMPTY;
	heap->nr_empty++;
	heap->empty_bytes += slab_bytes(slab);
	hlist_add_head(&slab->node, &heap->empty);
}

static void leave_empty(struct heap *heap, struct slab *slab)
{
	heap->nr_empty--;
	heap->empty_bytes -= slab_bytes(slab);
	hlist_del_init(&slab->node);
}

void heap_take_off(struct heap *heap, struct slab *slab)
{
	if (slab->place == SLAB_EMPTY)
		leave_empty(heap, slab);
	else
		hlist_del_init(&slab->node);
	heap_slot(heap, slab->cache)->nr_slabs--;
}

bool heap_reuse_empty(struct heap *heap, const struct kmem_cache *cache)
{
	for (struct hlist_node *node = heap->empty.first; node; node = node->next) {
		struct slab *slab = container_of(node, struct slab, node);

		if (slab->cache != cache)
			continue;
		leave_empty(heap, slab);
		heap_place_partial(heap, slab);
		return true;
	}
	return false;
}

void heap_destroy_empty(struct heap *heap, struct slab *slab)
{
	heap_take_off(heap, slab);
	heap_note_objects(heap, slab);
	slab_destroy(slab, &heap->stock);
}

/* An owner keeps a few for the next burst; a parked heap keeps none. */
void heap_slab_emptied(struct heap *heap, struct slab *slab)
{
	if (heap->nr_empty == EMPTY_SLABS || heap->empty_bytes + slab_bytes(slab) > EMPTY_BYTES ||
	    READ_ONCE(heap->owner) == HEAP_BORROWED) {
		heap_destroy_empty(heap, slab);
	} else {
		hlist_del_init(&slab->node);
		place_empty(heap, slab);
	}
}

void heap_slab_update_place(struct heap *heap, struct slab *slab, uint32_t used)
{
	slab->countdown = used;
	slab->reserve = 0;
	heap_note_objects(heap, slab);
	if (used == 0) {
		heap_slab_emptied(heap, slab);
	} else if (slab->place == SLAB_FULL) {
		hlist_del_init(&slab->node);
		heap_place_partial(heap, slab);
	}
}

void slab_event(struct heap *heap, struct slab *slab)
{
	lock(&heap->lock);
	heap_slab_update_place(heap, slab, slab_used(slab));
	unlock(&heap->lock);
}

static void for_each_in_list(struct heap *heap, struct hlist_head *list,
			     void (*fn)(struct heap *, struct slab *, void *), void *arg)
{
	struct hlist_node *node, *next;

	for (node = list->first; node; node = next) {
		next = node->next;
		fn(heap, container_of(node, struct slab, node), arg);
	}
}

void heap_for_each_slab(struct heap *heap,
			void (*fn)(struct heap *heap, struct slab *slab, void *arg), void *arg)
{
	for (uint32_t i = 0; i < SIZE_CLASSES; i++)
		for_each_in_list(heap, &heap->slots[i].partial, fn, arg);
	for (uint32_t i = 0; i < heap->nr_extra; i++)
		for_each_in_list(heap, &heap->extra_slots[i].partial, fn, arg);
	for_each_in_list(heap, &heap->empty, fn, arg);
	for_each_in_list(heap, &heap->full, fn, arg);
}

void heap_for_each_slab_of(struct heap *heap, const struct kmem_cache *cache,
			   void (*fn)(struct heap *heap, struct slab *slab, void *arg), void *arg)
{
	struct hlist_head *lists[] = {&heap_slot(heap, cache)->partial, &heap->empty, &heap->full};
	struct hlist_node *node, *next;

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		for (node = lists[i]->first; node; node = next) {
			struct slab *slab = container_of(node, struct slab, node);

			next = node->next;
			if (slab->cache == cache)
				fn(heap, slab, arg);
		}
	}
}

/* ---- Freelists ------------------------------------------------------------ */

static void free_to_slab(struct heap *heap, struct slab *slab, void *object, unsigned int offset)
{
	object_set_next(object, offset, slab->free);
	slab->free = object;
	if (--slab->countdown == 0)
		heap_slab_update_place(heap, slab, slab_used(slab));
}

void heap_take_back(struct heap *heap, struct slab *slab, void *object)
{
	struct heap_slot *slot = slab->slot;

	/* From the freelist of a parked heap nobody takes it for long. */
	if (slot->room > 0 && READ_ONCE(heap->owner) != HEAP_BORROWED) {
		object_set_next(object, 0, slot->freelist);
		slot->freelist = object;
		slot->room--;
	} else {
		free_to_slab(heap, slab, object, 0);
	}
}

void heap_flush_slot(struct heap *heap, struct heap_slot *slot)
{
	void *object;

	while ((object = slot->freelist)) {
		struct slab *slab = slab_of(object);
		unsigned int offset = slab->cache->offset;

		slot->freelist = object_next(object, offset);
		slot->room++;
		free_to_slab(heap, slab, object, offset);
	}
}

static void flush_half(struct heap *heap, struct heap_slot *slot)
{
	void *first = slot->freelist, *last = first;
	unsigned int offset = slab_of(first)->cache->offset;
	int32_t keep = heap_slot_waiting(slot) / 2;

	if (keep == 0) {
		heap_flush_slot(heap, slot);
		return;
	}
	while (--keep)
		last = object_next(last, offset);
	slot->freelist = object_next(last, offset);
	object_set_next(last, offset, NULL);
	heap_flush_slot(heap, slot);
	slot->freelist = first;
}

void heap_flush_idle(struct heap *heap)
{
	for (int i = 0; i < IDLE_SLOTS; i++) {
		uint32_t hand = heap->idle_hand++ % (SIZE_CLASSES + heap->nr_extra);
		struct heap_slot *slot = hand < SIZE_CLASSES
						 ? &heap->slots[hand]
						 : &heap->extra_slots[hand - SIZE_CLASSES];

		if (slot->freelist && slot->freelist == slot->seen)
			flush_half(heap, slot);
		slot->seen = slot->freelist;
	}
}

/* ---- From elsewhere ----------------------------------------------------- */

void heap_push_remote(struct heap *heap, struct slab *slab)
{
	struct slab *head = READ_ONCE(heap->remote_slabs);

	do {
		slab->remote_next = head;
	} while (!cmpxchg_seq_cst(&heap->remote_slabs, &head, slab));
}

void heap_collect_remote(struct heap *heap)
{
	struct slab *slab, *next;

	heap_collect_incoming(heap);
	if (!READ_ONCE(heap->remote_slabs))
		return;
	/* Pairs with the swap in heap_push_remote(). */
	slab = __atomic_exchange_n(&heap->remote_slabs, NULL, __ATOMIC_ACQUIRE);
	for (; slab; slab = next) {
		uint32_t used = slab_used(slab);

		next = slab->remote_next; /* before it may be pushed again */
		used -= remote_collect(slab);
		heap_slab_update_place(heap, slab, used);
	}
}

static bool has_remote(const struct heap *heap)
{
	return __atomic_load_n(&heap->incoming, __ATOMIC_SEQ_CST) ||
	       __atomic_load_n(&heap->remote_slabs, __ATOMIC_SEQ_CST);
}

void heap_collect_parked(struct heap *heap)
{
	/* Again if more came in while it looked borrowed; see heap_return(). */
	while (has_remote(heap) && heap_borrow(heap)) {
		if (unlikely(heap->torn))
			heap_recover(heap);
		lock(&heap->lock);
		heap_collect_remote(heap);
		unlock(&heap->lock);
		obj_stock_tell(&heap->stock);
		__atomic_store_n(&heap->owner, HEAP_PARKED, __ATOMIC_SEQ_CST);
	}
}
