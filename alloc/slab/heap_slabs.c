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
 *              +----> destroyed: too many, too long, or its pages are wanted
 */
#include "alloc/slab/heap_slabs.h"

#include <errno.h>

#include "alloc/pages/page_purger.h"

/*
 * So much an owner keeps in empty slabs, and so much while somebody looks after
 * what is not used again. Who had to give back that much wants it looked after.
 */
#define EMPTY_BYTES	 (512ul << 10)
#define EMPTY_BYTES_MOST (16ul << 20)
#define SPILLED_BYTES	 (4ul << 20)

/* How many freelists a refill looks at. */
#define IDLE_SLOTS 12

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
	slab->looks = 0;
	heap->empty_bytes += slab_bytes(slab);
	hlist_add_head(&slab->node, &heap_slot(heap, slab->cache)->empty);
}

static void leave_empty(struct heap *heap, struct slab *slab)
{
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

struct slab *heap_first_empty(const struct heap_slot *slot)
{
	struct hlist_node *node = slot->empty.first;

	return node ? container_of(node, struct slab, node) : NULL;
}

bool heap_reuse_empty(struct heap *heap, struct heap_slot *slot)
{
	struct slab *slab = heap_first_empty(slot);

	if (!slab)
		return false;
	leave_empty(heap, slab);
	heap_place_partial(heap, slab);
	return true;
}

void heap_destroy_empty(struct heap *heap, struct slab *slab)
{
	heap_take_off(heap, slab);
	heap_note_objects(heap, slab);
	slab_destroy(slab, &heap->stock);
}

void heap_destroy_idle(struct heap *heap, struct slab *slab)
{
	heap_take_off(heap, slab);
	slab_destroy_idle(slab);
}

static struct heap_slot *slot_at(struct heap *heap, uint32_t hand)
{
	hand %= SIZE_CLASSES + heap->nr_extra;
	return hand < SIZE_CLASSES ? &heap->slots[hand] : &heap->extra_slots[hand - SIZE_CLASSES];
}

void heap_yield_empty(struct heap *heap, size_t bytes)
{
	size_t left = heap->empty_bytes - min_t(size_t, bytes, heap->empty_bytes);

	while (heap->empty_bytes > max_t(size_t, left, EMPTY_BYTES)) {
		struct slab *slab = heap_first_empty(slot_at(heap, heap->empty_hand));

		if (slab)
			heap_destroy_empty(heap, slab);
		else
			heap->empty_hand++;
	}
}

/* An owner keeps some for the next burst; a parked heap keeps none. */
static bool may_keep(struct heap *heap, const struct slab *slab)
{
	size_t bytes = heap->empty_bytes + slab_bytes(slab);

	if (READ_ONCE(heap->owner) == HEAP_BORROWED)
		return false;
	if (!heap_slot(heap, slab->cache)->max_free) /* see set_room() */
		return false;
	if (bytes <= EMPTY_BYTES)
		return true;
	if (bytes > EMPTY_BYTES_MOST)
		return false;
	/* If it rests from now on, it comes here once more: pairs with page_purger_run(). */
	if (page_purger_runs())
		return true;
	heap->spilled_bytes += slab_bytes(slab);
	if (heap->spilled_bytes >= SPILLED_BYTES) {
		heap->spilled_bytes = 0;
		page_purger_want();
	}
	return false;
}

void heap_slab_emptied(struct heap *heap, struct slab *slab)
{
	if (may_keep(heap, slab)) {
		hlist_del_init(&slab->node);
		place_empty(heap, slab);
	} else {
		heap_destroy_empty(heap, slab);
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
	for (uint32_t i = 0; i < SIZE_CLASSES + heap->nr_extra; i++) {
		for_each_in_list(heap, &slot_at(heap, i)->partial, fn, arg);
		for_each_in_list(heap, &slot_at(heap, i)->empty, fn, arg);
	}
	for_each_in_list(heap, &heap->full, fn, arg);
}

void heap_for_each_slab_of(struct heap *heap, const struct kmem_cache *cache,
			   void (*fn)(struct heap *heap, struct slab *slab, void *arg), void *arg)
{
	struct hlist_head *lists[] = {&heap_slot(heap, cache)->partial,
				      &heap_slot(heap, cache)->empty, &heap->full};
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

void heap_for_each_empty(struct heap *heap,
			 void (*fn)(struct heap *heap, struct slab *slab, void *arg), void *arg)
{
	for (uint32_t i = 0; i < SIZE_CLASSES + heap->nr_extra; i++)
		for_each_in_list(heap, &slot_at(heap, i)->empty, fn, arg);
}

/* ---- Freelists ------------------------------------------------------------ */

static void free_to_slab(struct heap *heap, struct slab *slab, void *object, unsigned int offset)
{
	object_set_next(object, offset, slab->free);
	slab->free = object;
	if (--slab->countdown == 0)
		heap_slab_update_place(heap, slab, slab_used(slab));
}

void heap_take_back(struct heap *heap, struct heap_slot *slot, void *object)
{
	/* From the freelist of a parked heap nobody takes it for long. */
	if (slot->room > 0 && READ_ONCE(heap->owner) != HEAP_BORROWED) {
		object_set_next(object, 0, slot->freelist);
		slot->freelist = object;
		slot->room--;
	} else {
		free_to_slab(heap, slab_of(object), object, 0);
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

/* Enough of the first object's address to see whether it is another. */
static uint32_t freelist_seen(const struct heap_slot *slot)
{
	return (uint32_t)(uintptr_t)slot->freelist;
}

void heap_flush_idle(struct heap *heap)
{
	for (int i = 0; i < IDLE_SLOTS; i++) {
		struct heap_slot *slot = slot_at(heap, heap->idle_hand++);

		if (slot->freelist && freelist_seen(slot) == slot->seen)
			flush_half(heap, slot);
		slot->seen = freelist_seen(slot);
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

void heap_collect_own(struct heap *heap)
{
	int saved_errno = errno;

	if (unlikely(heap->torn))
		heap_recover(heap);
	lock(&heap->lock);
	heap_collect_remote(heap);
	unlock(&heap->lock);
	obj_stock_tell(&heap->stock);
	errno = saved_errno;
}

void heap_collect_parked(struct heap *heap)
{
	/* Again if more came in while it looked borrowed; see heap_return(). */
	while (has_remote(heap) && heap_borrow(heap)) {
		heap_collect_own(heap);
		heap_note_left(heap); /* there may be nothing in it now */
		__atomic_store_n(&heap->owner, HEAP_PARKED, __ATOMIC_SEQ_CST);
	}
}
