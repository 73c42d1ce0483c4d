/* SPDX-License-Identifier: MIT */
/* Giving slabs back: empty ones to the system, all of them at offline. */
#include <string.h>

#include "alloc/slab/debug.h"
#include "alloc/slab/heap_slabs.h"

/* The active slab becomes a partial or full one. heap->lock. */
static void deactivate(struct heap *heap, struct slab *slab)
{
	struct heap_slot *slot = heap_slot(heap, slab->cache);
	void **freelist = heap_freelist(heap, slab->cache);
	uint32_t used = slab_used(slab);
	void *object;

	while ((object = *freelist)) {
		*freelist = object_next(object, slab->cache->offset);
		object_set_next(object, slab->cache->offset, slab->free);
		slab->free = object;
		used--;
	}
	slab->countdown = used;
	slab->reserve = 0;
	heap_note_objects(heap, slab);
	slot->active = NULL;
	if (slab->free || slab->carved < slab->nr)
		heap_place_partial(heap, slab);
	else
		heap_place_full(heap, slab);
}

/* What heap_trim() is about. */
struct trim {
	const struct kmem_cache *cache; /* NULL: all */
	bool dead;			/* only dead caches */
};

static bool trim_wants(const struct trim *trim, const struct slab *slab)
{
	return (!trim->cache || trim->cache == slab->cache) &&
	       (!trim->dead || READ_ONCE(slab->cache->dead));
}

static void trim_active(struct heap *heap, struct slab *slab, void *arg)
{
	if (slab->place == SLAB_ACTIVE && trim_wants(arg, slab))
		deactivate(heap, slab);
}

static void trim_empty(struct heap *heap, struct slab *slab, void *arg)
{
	if (slab->place != SLAB_FULL && !slab_used(slab) && trim_wants(arg, slab))
		heap_destroy_empty(heap, slab);
}

/* heap->lock. */
static void trim_locked(struct heap *heap, struct trim trim)
{
	heap_collect_remote(heap);
	heap_for_each_slab(heap, trim_active, &trim);
	heap_for_each_slab(heap, trim_empty, &trim);
}

void heap_trim(struct heap *heap, const struct kmem_cache *cache)
{
	if (unlikely(heap->torn))
		heap_recover(heap);
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
	if (!remote_disown(slab)) {
		/* Something came in that is not collected yet: later. */
		slab->place = SLAB_FULL;
		hlist_add_head(&slab->node, &heap->full);
	}
}

void heap_disown_slabs(struct heap *heap)
{
	struct trim all = {0};
	unsigned int tries = 0;

	if (unlikely(heap->torn))
		heap_recover(heap);
	lock(&heap->lock);
	for (;;) {
		heap_collect_remote(heap);
		heap_for_each_slab(heap, trim_active, &all);
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
