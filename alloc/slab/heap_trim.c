/* SPDX-License-Identifier: MIT */
/* Giving slabs back: empty ones to the system, all of them at offline. */
#include <string.h>

#include "alloc/slab/debug.h"
#include "alloc/slab/heap_slabs.h"

/* What heap_trim() is about. */
struct trim {
	const struct kmem_cache *cache; /* NULL: all */
	bool dead;			/* only dead caches */
};

static bool trim_wants(const struct trim *trim, const struct kmem_cache *cache)
{
	return (!trim->cache || trim->cache == cache) && (!trim->dead || READ_ONCE(cache->dead));
}

static void trim_empty(struct heap *heap, struct slab *slab, void *arg)
{
	if (!slab_used(slab) && trim_wants(arg, slab->cache))
		heap_destroy_empty(heap, slab);
}

/* heap->lock. */
static void flush_slots(struct heap *heap, const struct trim *trim, struct heap_slot *slots,
			uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (slots[i].freelist && trim_wants(trim, slab_of(slots[i].freelist)->cache))
			heap_flush_slot(heap, &slots[i]);
}

/* heap->lock. */
static void trim_locked(struct heap *heap, struct trim trim)
{
	heap_collect_remote(heap);
	flush_slots(heap, &trim, heap->slots, SIZE_CLASSES);
	flush_slots(heap, &trim, heap->extra_slots, heap->nr_extra);
	heap_for_each_slab(heap, trim_empty, &trim);
}

void heap_trim(struct heap *heap, const struct kmem_cache *cache)
{
	if (unlikely(heap->torn))
		heap_recover(heap);
	heap_pass_on(heap);
	lock(&heap->lock);
	debug_validate_heap(heap);
	trim_locked(heap, (struct trim){.cache = cache});
	unlock(&heap->lock);
}

void heap_bury_dead(struct heap *heap)
{
	/* Pairs with the release in kmem_cache_destroy(). */
	heap->caches_died = load_acquire(&caches_died);
	trim_locked(heap, (struct trim){.dead = true});
}

static void disown_one(struct heap *heap, struct slab *slab, void *arg)
{
	(void)arg;
	hlist_del_init(&slab->node);
	slab->countdown = slab_used(slab);
	slab->reserve = 0;
	heap_note_objects(heap, slab);
	if (!remote_disown(slab)) {
		/* Something came in that is not collected yet: later. */
		slab->place = SLAB_FULL;
		hlist_add_head(&slab->node, &heap->full);
	}
}

void heap_disown_slabs(struct heap *heap)
{
	const struct trim all = {0};
	unsigned int tries = 0;

	if (unlikely(heap->torn))
		heap_recover(heap);
	lock(&heap->lock);
	for (;;) {
		heap_collect_remote(heap);
		flush_slots(heap, &all, heap->slots, SIZE_CLASSES);
		flush_slots(heap, &all, heap->extra_slots, heap->nr_extra);
		heap_for_each_slab(heap, disown_one, NULL);
		if (!heap->full.first)
			break;
		/* A free is about to announce its slab. */
		unlock(&heap->lock);
		os_pause(tries++);
		lock(&heap->lock);
	}
	memset(heap->slots, 0, sizeof(heap->slots));
	heap->nr_empty = 0;
	heap->empty_pages = 0;
	unlock(&heap->lock);
}
