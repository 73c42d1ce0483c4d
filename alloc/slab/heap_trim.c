/* SPDX-License-Identifier: MIT */
/* Giving slabs back: empty ones to the system, all of them at offline. */
#include <string.h>

#include "alloc/slab/debug.h"
#include "alloc/slab/heap_slabs.h"
#include "alloc/slab/heap_table.h"

/* An empty slab goes when so many looks have found it so: after half a second. */
#define IDLE_LOOKS 6

static bool trim_wants(const struct kmem_cache *wanted, const struct kmem_cache *cache)
{
	return !wanted || wanted == cache;
}

static void trim_empty(struct heap *heap, struct slab *slab, void *arg)
{
	if (!slab_used(slab) && trim_wants(arg, slab->cache))
		heap_destroy_empty(heap, slab);
}

/* heap->lock. */
static void flush_slots(struct heap *heap, const struct kmem_cache *cache, struct heap_slot *slots,
			uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (slots[i].freelist && trim_wants(cache, slab_of(slots[i].freelist)->cache))
			heap_flush_slot(heap, &slots[i]);
}

void heap_trim(struct heap *heap, struct kmem_cache *cache)
{
	if (unlikely(heap->torn))
		heap_recover(heap);
	heap_pass_on(heap);
	lock(&heap->lock);
	debug_validate_heap(heap);
	heap_collect_remote(heap);
	flush_slots(heap, cache, heap->slots, SIZE_CLASSES);
	flush_slots(heap, cache, heap->extra_slots, heap->nr_extra);
	heap_for_each_slab(heap, trim_empty, cache);
	unlock(&heap->lock);
}

/* ---- By any thread ---------------------------------------------------------- */

/* Its objects are on no list, or on such as go with it. */
void heap_bury_slab(struct heap *heap, struct slab *slab)
{
	heap_take_off(heap, slab);
	/* For who counts before the grace period of a SLAB_TYPESAFE_BY_RCU cache. */
	slab->countdown = 0;
	slab->reserve = 0;
	WRITE_ONCE(slab->remote, 0);
	slab_destroy_apart(slab);
}

static void bury_slab(struct heap *heap, struct slab *slab, void *arg)
{
	(void)arg;
	heap_bury_slab(heap, slab);
}

static void bury_kept(struct heap *heap, struct slab *slab, void *arg)
{
	if (slab->place == SLAB_EMPTY)
		bury_slab(heap, slab, arg);
}

void heap_destroy_kept(struct heap *heap, const struct kmem_cache *cache)
{
	lock(&heap->lock);
	if (heap_has_slot(heap, cache))
		heap_for_each_slab_of(heap, cache, bury_kept, NULL);
	unlock(&heap->lock);
}

static void count_out(struct heap *heap, struct slab *slab, void *arg)
{
	(void)heap;
	*(uint64_t *)arg += slab_count_out(slab);
}

uint64_t heap_count_live(struct heap *heap, const struct kmem_cache *cache)
{
	uint64_t live = 0;

	lock(&heap->lock);
	heap_for_each_slab_of(heap, cache, count_out, &live);
	live -= (uint64_t)heap_slot_waiting(heap_slot(heap, cache));
	unlock(&heap->lock);
	return live;
}

/* Takes slabs of @cache off heap->remote_slabs. heap->lock. */
static void withdraw_remote(struct heap *heap, const struct kmem_cache *cache)
{
	struct slab *slab, *next;

	if (!READ_ONCE(heap->remote_slabs))
		return;
	/* As in heap_collect_remote(). */
	slab = __atomic_exchange_n(&heap->remote_slabs, NULL, __ATOMIC_ACQUIRE);
	for (; slab; slab = next) {
		next = slab->remote_next;
		if (slab->cache != cache)
			heap_push_remote(heap, slab);
	}
}

void heap_bury_cache(struct heap *heap, const struct kmem_cache *cache)
{
	struct heap_slot *slot;

	lock(&heap->lock);
	slot = heap_slot(heap, cache);
	slot->freelist = NULL;
	slot->seen = 0;
	slot->room = slot->max_free;
	withdraw_remote(heap, cache);
	heap_for_each_slab_of(heap, cache, bury_slab, NULL);
	unlock(&heap->lock);
	heap_collect_parked(heap); /* its owner may have looked in between */
}

static void decay_one(struct heap *heap, struct slab *slab, void *arg)
{
	bool *more = arg;

	/* With a grace period they may go only by a thread that liburcu knows. */
	if (slab->cache->flags & SLAB_TYPESAFE_BY_RCU)
		return;
	if (++slab->looks == IDLE_LOOKS)
		heap_destroy_idle(heap, slab);
	else
		*more = true;
}

static void decay_heap(struct heap *heap, void *arg)
{
	bool *more = arg;

	/* Also for who has nothing: pairs with may_keep(), see page_purger_run(). */
	lock(&heap->lock);
	heap_for_each_empty(heap, decay_one, more);
	unlock(&heap->lock);
}

static void decay_if_born(struct heap *heap, void *arg)
{
	lock(&cgroup_lock); /* it does not change its group, and is born */
	if (load_acquire(&heap->owner) != HEAP_CLOSED) /* pairs with heap_init() */
		decay_heap(heap, arg);
	unlock(&cgroup_lock);
}

bool heaps_decay(void)
{
	bool more = false;

	heap_table_for_each_stirring(decay_if_born, &more);
	return more;
}

/* ---- What is spare ---------------------------------------------------------- */

/* As of a moment ago, without the lock. */
__racy_fn static size_t empty_bytes(const struct heap *heap)
{
	return READ_ONCE(heap->empty_bytes);
}

static void count_spare(struct heap *heap, void *arg)
{
	*(size_t *)arg += empty_bytes(heap);
}

size_t heaps_empty_bytes(void)
{
	size_t bytes = 0;

	heap_table_for_each(count_spare, &bytes);
	return bytes;
}

struct give {
	size_t want; /* bytes */
	size_t given;
};

static void give_one(struct heap *heap, struct slab *slab, void *arg)
{
	struct give *give = arg;

	if (give->given >= give->want)
		return;
	give->given += slab_bytes(slab);
	heap_destroy_idle(heap, slab);
}

static void give_if_born(struct heap *heap, void *arg)
{
	struct give *give = arg;

	if (give->given >= give->want || !empty_bytes(heap))
		return;
	lock(&cgroup_lock); /* as in decay_if_born() */
	if (load_acquire(&heap->owner) != HEAP_CLOSED) {
		lock(&heap->lock);
		heap_for_each_empty(heap, give_one, give);
		unlock(&heap->lock);
	}
	unlock(&cgroup_lock);
}

size_t heaps_give_empty(size_t bytes)
{
	struct give give = {.want = bytes};

	counters_own();
	rcu_take_in_thread(); /* a SLAB_TYPESAFE_BY_RCU slab waits for a grace period */
	heap_table_for_each(give_if_born, &give);
	return give.given;
}

/* ---- Offline ---------------------------------------------------------------- */

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
	unsigned int tries = 0;

	if (unlikely(heap->torn))
		heap_recover(heap);
	lock(&heap->lock);
	for (;;) {
		heap_collect_remote(heap);
		flush_slots(heap, NULL, heap->slots, SIZE_CLASSES);
		flush_slots(heap, NULL, heap->extra_slots, heap->nr_extra);
		heap_for_each_slab(heap, disown_one, NULL);
		if (!heap->full.first)
			break;
		/* A free is about to announce its slab. */
		unlock(&heap->lock);
		os_pause(tries++);
		lock(&heap->lock);
	}
	heap->empty_bytes = 0;
	unlock(&heap->lock);
}
