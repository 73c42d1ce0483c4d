/* SPDX-License-Identifier: MIT */
/*
 * The slabs of a heap, and how they move between its lists.
 *
 *            refill                 exhausted
 *   new ----------------> active ---------------> full
 *                           ^                      |
 *                           | refill               | some freed
 *                           |                      v
 *                           +------------------ partial ---> destroyed
 *                                                    all freed
 */
#include <errno.h>
#include <sched.h>
#include <string.h>

#include "alloc/base/message.h"
#include "alloc/base/meta.h"
#include "alloc/slab/debug.h"
#include "alloc/slab/heap.h"

/* A full slab comes back when this part of its objects has been freed. */
#define WAKE_SHIFT 3

/* So much is carved at once: enough to amortise, few pages touched too early. */
#define CARVE_BYTES 4096
#define CARVE_LEAST 4

/* ---- Lists; all under heap->lock ---------------------------------------- */

static void place_full(struct heap *heap, struct slab *slab)
{
	uint32_t used = slab_used(slab);

	slab->place = SLAB_FULL;
	slab->countdown = max_t(uint32_t, used >> WAKE_SHIFT, 1);
	slab->reserve = used - slab->countdown;
	hlist_add_head(&slab->node, &heap->full);
}

static void place_partial(struct heap *heap, struct slab *slab)
{
	slab->place = SLAB_PARTIAL;
	slab->countdown = slab_used(slab);
	slab->reserve = 0;
	hlist_add_head(&slab->node, &heap_slot(heap, slab->cache)->partial);
}

/* Its free objects become the freelist. */
static void place_active(struct heap *heap, struct slab *slab)
{
	hlist_del_init(&slab->node);
	slab->place = SLAB_ACTIVE;
	slab->countdown = slab->carved;
	slab->reserve = 0;
	heap_slot(heap, slab->cache)->active = slab;
	*heap_freelist(heap, slab->cache) = slab->free;
	slab->free = NULL;
}

/* An empty slab that is on no list. */
static void destroy_empty(struct heap *heap, struct slab *slab)
{
	heap_slot(heap, slab->cache)->nr_slabs--;
	/* The stock's reference of the objcg keeps it. */
	slab_destroy(slab);
}

/*
 * A slab not active has become empty. An owner keeps one for the next burst,
 * on the list of partial slabs like any other; a parked heap keeps none.
 */
static void slab_emptied(struct heap *heap, struct slab *slab)
{
	struct heap_slot *slot = heap_slot(heap, slab->cache);

	hlist_del_init(&slab->node);
	if (slot->partial.first || READ_ONCE(heap->owner) == HEAP_BORROWED)
		destroy_empty(heap, slab);
	else
		place_partial(heap, slab);
}

static void slab_update_place(struct heap *heap, struct slab *slab,
			      uint32_t used)
{
	slab->countdown = used;
	slab->reserve = 0;
	if (slab->place == SLAB_ACTIVE)
		return;
	if (used == 0) {
		slab_emptied(heap, slab);
	} else if (slab->place == SLAB_FULL) {
		hlist_del_init(&slab->node);
		place_partial(heap, slab);
	}
}

void slab_event(struct heap *heap, struct slab *slab)
{
	lock(&heap->lock);
	slab_update_place(heap, slab, slab_used(slab));
	unlock(&heap->lock);
}

/* ---- From elsewhere ----------------------------------------------------- */

void heap_push_remote(struct heap *heap, struct slab *slab)
{
	struct slab *head = READ_ONCE(heap->remote_slabs);

	do {
		slab->remote_next = head;
	} while (!cmpxchg_release(&heap->remote_slabs, &head, slab));
}

/* heap->lock. Returns whether there was anything. */
static bool collect_remote(struct heap *heap)
{
	struct slab *slab, *next;

	if (!READ_ONCE(heap->remote_slabs))
		return false;
	/* Pairs with the release in heap_push_remote(). */
	slab = __atomic_exchange_n(&heap->remote_slabs, NULL, __ATOMIC_ACQUIRE);
	for (; slab; slab = next) {
		uint32_t used = slab_used(slab);

		next = slab->remote_next; /* before it may be pushed again */
		used -= remote_collect(slab);
		slab_update_place(heap, slab, used);
	}
	return true;
}

void heap_collect_parked(struct heap *heap)
{
	if (!heap_borrow(heap))
		return;
	if (unlikely(heap->torn))
		heap_recover(heap);
	lock(&heap->lock);
	collect_remote(heap);
	unlock(&heap->lock);
	heap_return(heap);
}

static void heap_bury_dead(struct heap *heap);

/* ---- Refill ------------------------------------------------------------- */

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

static void carve_active(struct heap *heap, struct slab *slab)
{
	uint32_t want = max_t(uint32_t, CARVE_BYTES / slab->size, CARVE_LEAST);

	*heap_freelist(heap, slab->cache) = slab_carve(slab, want);
}

/* The first slabs of a heap are small, so that small groups stay small. */
static size_t next_slab_pages(const struct kmem_cache *cache,
			      const struct heap_slot *slot)
{
	size_t pages = cache->min_pages;

	for (uint32_t n = slot->nr_slabs; n && pages < cache->max_pages; n--)
		pages *= 2;
	return min_t(size_t, pages, cache->max_pages);
}

static int add_slab(struct heap *heap, struct kmem_cache *cache)
{
	struct heap_slot *slot = heap_slot(heap, cache);
	struct slab *slab = slab_create(cache, heap->stock.objcg,
					(uintptr_t)heap + cache->owner_tag,
					next_slab_pages(cache, slot));

	if (!slab)
		return -ENOMEM;
	slot->nr_slabs++;
	place_active(heap, slab);
	carve_active(heap, slab);
	return 0;
}

/* From what the active slab has left. */
static bool refill_active(struct heap *heap, struct slab *slab)
{
	if (slab->free) {
		place_active(heap, slab);
		return true;
	}
	if (slab->carved < slab->nr) {
		carve_active(heap, slab);
		return true;
	}
	return false;
}

/* heap->lock. */
static int refill_locked(struct heap *heap, struct kmem_cache *cache)
{
	struct heap_slot *slot = heap_slot(heap, cache);
	struct slab *active = slot->active;

	if (active && active->free) {
		place_active(heap, active);
		return 0;
	}
	collect_remote(heap);
	if (active) {
		if (refill_active(heap, active))
			return 0;
		slot->active = NULL;
		place_full(heap, active);
	}
	if (slot->partial.first) {
		struct slab *slab = container_of(slot->partial.first,
						 struct slab, node);

		place_active(heap, slab);
		if (!*heap_freelist(heap, cache))
			carve_active(heap, slab);
		return 0;
	}
	return add_slab(heap, cache);
}

int heap_refill(struct heap *heap, struct kmem_cache *cache)
{
	int ret = 0;

	if (unlikely(heap->torn))
		heap_recover(heap);
	lock(&heap->lock);
	if (unlikely(heap->caches_died != READ_ONCE(caches_died)))
		heap_bury_dead(heap);
	if (unlikely(!heap_has_slot(heap, cache)))
		ret = grow_extra(heap, cache);
	if (!ret && !*heap_freelist(heap, cache))
		ret = refill_locked(heap, cache);
	unlock(&heap->lock);
	return ret;
}

/* ---- Giving back -------------------------------------------------------- */

uint32_t heap_freelist_length(struct heap *heap, const struct kmem_cache *cache)
{
	uint32_t n = 0;

	if (!heap_has_slot(heap, cache))
		return 0;
	for (void *object = *heap_freelist(heap, cache); object;
	     object = object_next(object, cache->offset))
		n++;
	return n;
}

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
	slot->active = NULL;
	if (slab->free || slab->carved < slab->nr)
		place_partial(heap, slab);
	else
		place_full(heap, slab);
}

static void for_each_in_slot(struct heap *heap, struct heap_slot *slot,
			     void (*fn)(struct heap *, struct slab *, void *),
			     void *arg)
{
	struct hlist_node *node, *next;

	if (slot->active)
		fn(heap, slot->active, arg);
	for (node = slot->partial.first; node; node = next) {
		next = node->next;
		fn(heap, container_of(node, struct slab, node), arg);
	}
}

void heap_for_each_slab(struct heap *heap,
			void (*fn)(struct heap *heap, struct slab *slab,
				   void *arg),
			void *arg)
{
	struct hlist_node *node, *next;

	for (uint32_t i = 0; i < SIZE_CLASSES; i++)
		for_each_in_slot(heap, &heap->slots[i], fn, arg);
	for (uint32_t i = 0; i < heap->nr_extra; i++)
		for_each_in_slot(heap, &heap->extra_slots[i], fn, arg);
	for (node = heap->full.first; node; node = next) {
		next = node->next;
		fn(heap, container_of(node, struct slab, node), arg);
	}
}

/* What heap_trim() is about. */
struct trim {
	const struct kmem_cache *cache; /* NULL: all */
	bool dead; /* only dead caches */
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
	if (slab->place != SLAB_PARTIAL || slab_used(slab) ||
	    !trim_wants(arg, slab))
		return;
	hlist_del_init(&slab->node);
	destroy_empty(heap, slab);
}

/* heap->lock. */
static void trim_locked(struct heap *heap, struct trim trim)
{
	collect_remote(heap);
	heap_for_each_slab(heap, trim_active, &trim);
	heap_for_each_slab(heap, trim_empty, &trim);
}

void heap_trim(struct heap *heap, const struct kmem_cache *cache)
{
	if (unlikely(heap->torn))
		heap_recover(heap);
	lock(&heap->lock);
	debug_validate_heap(heap);
	trim_locked(heap, (struct trim){ .cache = cache });
	unlock(&heap->lock);
}

/* Gives back what is kept of caches that were destroyed. heap->lock. */
static void heap_bury_dead(struct heap *heap)
{
	/* Pairs with the release in kmem_cache_destroy(). */
	heap->caches_died = load_acquire(&caches_died);
	trim_locked(heap, (struct trim){ .dead = true });
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
	struct trim all = { 0 };

	if (unlikely(heap->torn))
		heap_recover(heap);
	lock(&heap->lock);
	for (;;) {
		collect_remote(heap);
		heap_for_each_slab(heap, trim_active, &all);
		heap_for_each_slab(heap, disown_one, NULL);
		if (!heap->full.first)
			break;
		/* A free is about to announce its slab. */
		unlock(&heap->lock);
		sched_yield();
		lock(&heap->lock);
	}
	memset(heap->slots, 0, sizeof(heap->slots));
	unlock(&heap->lock);
}

/* ---- After fork --------------------------------------------------------- */

static void recount(struct heap *heap, struct slab *slab, void *arg)
{
	uint32_t free = 0;

	(void)arg;
	for (void *object = slab->free; object;
	     object = object_next(object, slab->cache->offset))
		free++;
	slab->countdown = slab->carved - free;
	slab->reserve = 0;
	slab->recovered = 0;
	if (slab->place == SLAB_FULL && slab->countdown) {
		hlist_del_init(&slab->node);
		place_full(heap, slab);
	} else if (slab->place == SLAB_FULL) {
		slab_emptied(heap, slab);
	}
}

static void announce_remote(struct heap *heap, struct slab *slab, void *arg)
{
	void *tail;

	(void)arg;
	if (slab->recovered || !remote_count(slab))
		return;
	for (tail = remote_first(slab);
	     object_next(tail, slab->cache->offset);
	     tail = object_next(tail, slab->cache->offset))
		;
	slab->remote_tail = tail;
	heap_push_remote(heap, slab);
}

void heap_recover(struct heap *heap)
{
	struct slab *slab;

	lock(&heap->lock);
	heap->torn = false;
	heap_for_each_slab(heap, recount, NULL);
	/* Those announced already; the others only have a list. */
	for (slab = READ_ONCE(heap->remote_slabs); slab; slab = slab->remote_next)
		slab->recovered = 1;
	heap_for_each_slab(heap, announce_remote, NULL);
	unlock(&heap->lock);
}
