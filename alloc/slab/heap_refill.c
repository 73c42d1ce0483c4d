/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "alloc/base/meta.h"
#include "alloc/slab/heap_slabs.h"
#include "alloc/slab/task.h"

/* So much is carved at once: enough to amortise, few pages touched too early. */
#define CARVE_BYTES 4096
#define CARVE_LEAST 8

static int grow_extra(struct heap *heap, const struct kmem_cache *cache)
{
	uint32_t old = heap->nr_extra;
	uint32_t nr = max_t(uint32_t, old * 2, cache->id + 1 - SIZE_CLASSES);
	struct heap_slot *slots;

	nr = (uint32_t)round_up_to(nr, 8);
	slots = meta_alloc(nr * sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	if (old)
		memcpy(slots, heap->extra_slots, old * sizeof(*slots));
	for (uint32_t i = 0; i < old; i++) {
		hlist_moved(&slots[i].partial);
		hlist_moved(&slots[i].empty);
	}
	meta_free(heap->extra_slots, old * sizeof(*slots));
	heap->extra_slots = slots;
	heap->nr_extra = nr;
	return 0;
}

/* Objects of so many bytes stay on a freelist only where such are often asked for. */
#define LARGE_SIZE 4096

/* A refill so soon after another is one of a run, which counts after so many. */
#define RUN_MS	  4
#define RUN_LEAST 3

/*
 * How many large objects may wait on a freelist, which is empty: none unless refills are
 * in a run, and then twice as many from one to the next. Without room no empty slab is
 * kept either, so that the next heap gets pages that are in the processor's cache.
 * heap->lock.
 */
static void set_room(const struct kmem_cache *cache, struct heap_slot *slot)
{
	uint16_t now;

	if (cache->size < LARGE_SIZE)
		return;
	now = (uint16_t)os_clock_ms();
	if ((uint16_t)(now - slot->refilled_ms) >= RUN_MS)
		slot->run = 0;
	slot->refilled_ms = now;
	slot->max_free = 0;
	if (slot->run >= RUN_LEAST)
		slot->max_free = min_t(int32_t, 1 << (slot->run - RUN_LEAST), cache->max_free);
	if (slot->max_free < cache->max_free)
		slot->run++;
	slot->room = slot->max_free;
}

/* How many are carved at once; what finds no room waits for it in its slab. */
static uint32_t carve_count(const struct heap_slot *slot, const struct slab *slab)
{
	uint32_t count = max_t(uint32_t, CARVE_BYTES / slab->size, CARVE_LEAST);

	return min_t(uint32_t, count, max_t(uint32_t, (uint32_t)slot->max_free, 1));
}

/* Constructors may allocate, but the thread stays with this heap meanwhile. */
static void carve(struct heap *heap, struct slab *slab)
{
	struct heap_slot *slot = heap_slot(heap, slab->cache);
	uint32_t want = carve_count(slot, slab);
	struct task *task = current_task;
	struct object_list list;

	if (task)
		task->pinned++;
	list = slab_carve(slab, want);
	if (task)
		task->pinned--;
	heap_note_objects(heap, slab);
	slot = heap_slot(heap, slab->cache);
	object_set_next(list.last, slab->cache->offset, slot->freelist);
	store_release(&slot->freelist, list.first); /* carved first: a fork may come in between */
	slot->room -= (int32_t)list.nr;
}

/*
 * The first slab of a heap is small, so that small groups stay small, and what a heap
 * has of one cache never grows by much at a time. But the fewer they are, the more
 * frees find their slab in the processor's cache.
 */
#define SLABS_OF_A_SIZE 3

static size_t next_slab_bytes(const struct kmem_cache *cache, const struct heap_slot *slot)
{
	uint32_t doublings = (slot->nr_slabs + SLABS_OF_A_SIZE - 1) / SLABS_OF_A_SIZE;
	size_t bytes = cache->first_bytes;

	while (doublings-- && bytes < cache->largest_bytes)
		bytes *= 2;
	return min_t(size_t, bytes, cache->largest_bytes);
}

static int add_slab(struct heap *heap, struct kmem_cache *cache)
{
	struct heap_slot *slot = heap_slot(heap, cache);
	size_t bytes = next_slab_bytes(cache, slot);
	struct slab *slab;

	heap_yield_empty(heap, bytes);
	slab = slab_create(cache, heap->stock.objcg, (uintptr_t)heap + cache->owner_tag, bytes);
	if (!slab)
		return -ENOMEM;
	obj_stock_account_slab(&heap->stock, (int64_t)slab_bytes(slab));
	slab->slot = kmem_cache_is_kmalloc(cache) ? slot : NULL;
	slot->nr_slabs++;
	if (slot->size != cache->size) { /* perhaps once of another cache, with the same id */
		slot->size = cache->size;
		slot->max_free = cache->size < LARGE_SIZE ? cache->max_free : 0;
		slot->room = slot->max_free;
	}
	heap_place_partial(heap, slab);
	return 0;
}

/*
 * Leaves objects on the freelist, or a slab to carve in *@slab. heap->lock.
 */
static int refill_locked(struct heap *heap, struct kmem_cache *cache, struct slab **slab)
{
	struct heap_slot *slot = heap_slot(heap, cache);
	int err = 0;

	heap_collect_remote(heap);
	if (!slot->freelist)
		set_room(cache, slot);
	while (!err && !slot->freelist) {
		if (slot->partial.first) {
			*slab = heap_take_partial(heap, slot);
			if (!slot->freelist && (*slab)->carved < (*slab)->nr)
				break;
		} else if (!heap_reuse_empty(heap, slot)) {
			if (slot->nr_slabs) /* rather than to grow by as much */
				heap_flush_idle(heap);
			err = add_slab(heap, cache);
		}
	}
	return err;
}

int heap_refill(struct heap *heap, struct kmem_cache *cache)
{
	struct slab *slab = NULL;
	int err = 0;

	if (unlikely(heap->torn))
		heap_recover(heap);
	heap_pass_on(heap);
	lock(&heap->lock);
	if (unlikely(!heap_has_slot(heap, cache)))
		err = grow_extra(heap, cache);
	if (!err)
		err = refill_locked(heap, cache, &slab);
	unlock(&heap->lock);
	/* Constructors run without the lock, as they may allocate. */
	if (!err && !heap_slot(heap, cache)->freelist)
		carve(heap, slab);
	return err;
}
