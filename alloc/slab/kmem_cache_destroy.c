/* SPDX-License-Identifier: MIT */
/*
 * The end of a cache.
 *
 * By contract nobody uses it any more, and what its users did happened before.
 * So no fast path touches its slots and slabs, whoever owns their heaps, and
 * under the heaps' locks they can be counted exactly, and taken away: nothing
 * of the cache is left behind for a running thread to find.
 */
#include <errno.h>

#include "alloc/base/message.h"
#include "alloc/slab/count.h"
#include "alloc/slab/debug.h"
#include "alloc/slab/heap_slabs.h"
#include "alloc/slab/kmalloc.h"

/* ---- Where it has slabs; cgroup_lock, so heaps stay with their groups ------- */

static __racy_fn bool has_slot(const struct heap *heap, const struct kmem_cache *cache)
{
	return heap_has_slot(heap, cache);
}

/* By whoever borrows it, after a fork. */
static void wait_until_recovered(struct heap *heap)
{
	for (unsigned int tries = 0; READ_ONCE(heap->torn); tries++)
		os_pause(tries);
}

static void for_each_heap_with(struct kmem_cache *cache,
			       void (*fn)(struct heap *heap, struct kmem_cache *cache, void *arg),
			       void *arg)
{
	struct mem_cgroup *memcg;

	for_each_memcg (memcg, &root_memcg) {
		for (struct heap *heap = memcg_first_heap(memcg); heap; heap = heap->next) {
			if (!has_slot(heap, cache))
				continue;
			wait_until_recovered(heap);
			fn(heap, cache, arg);
		}
	}
}

struct ownerless_visit {
	const struct kmem_cache *cache;
	void (*fn)(struct slab *slab, void *arg);
	void *arg;
};

/*
 * Without live objects it waits for its grace period. Others' slabs come and go
 * meanwhile.
 */
static __racy_fn void visit_ownerless(struct slab *slab, void *arg)
{
	struct ownerless_visit *visit = arg;

	if (READ_ONCE(slab->kind) == SLAB_OBJECTS && slab->cache == visit->cache &&
	    remote_is_ownerless(slab) && remote_count(slab))
		visit->fn(slab, visit->arg);
}

static void for_each_ownerless(const struct kmem_cache *cache,
			       void (*fn)(struct slab *slab, void *arg), void *arg)
{
	struct ownerless_visit visit = {.cache = cache, .fn = fn, .arg = arg};

	slab_for_each(visit_ownerless, &visit);
}

/* ---- Objects that are still in use ------------------------------------------ */

static void count_owned(struct heap *heap, struct kmem_cache *cache, void *arg)
{
	*(uint64_t *)arg += heap_count_live(heap, cache);
}

static void count_ownerless(struct slab *slab, void *arg)
{
	*(uint64_t *)arg += remote_count(slab);
}

static uint64_t count_live(struct kmem_cache *cache)
{
	uint64_t live = 0;

	for_each_heap_with(cache, count_owned, &live);
	for_each_ownerless(cache, count_ownerless, &live);
	return live;
}

static void note_slab(struct heap *heap, struct slab *slab, void *arg)
{
	(void)heap;
	debug_note_sites(slab, arg);
}

static void note_owned(struct heap *heap, struct kmem_cache *cache, void *arg)
{
	lock(&heap->lock);
	heap_for_each_slab_of(heap, cache, note_slab, arg);
	unlock(&heap->lock);
}

static void note_ownerless(struct slab *slab, void *arg)
{
	debug_note_sites(slab, arg);
}

static void report_sites(struct kmem_cache *cache)
{
	struct debug_sites sites = {0};

	for_each_heap_with(cache, note_owned, &sites);
	for_each_ownerless(cache, note_ownerless, &sites);
	debug_report_sites(&sites);
}

/* ---- Burying ------------------------------------------------------------------ */

static void bury(struct heap *heap, struct kmem_cache *cache, void *arg)
{
	(void)arg;
	heap_bury_cache(heap, cache);
}

/* Buries it, if none of its objects is in use; else tells of them. */
static bool try_bury(struct kmem_cache *cache)
{
	uint64_t live;

	lock(&cgroup_lock);
	slab_recover_fork();
	live = count_live(cache);
	if (live) {
		warn("kmem_cache_destroy(\"%s\"): %lu objects are still in use", cache->name,
		     (unsigned long)live);
		report_sites(cache);
	} else {
		for_each_heap_with(cache, bury, NULL);
	}
	unlock(&cgroup_lock);
	return !live;
}

int kmem_cache_destroy(struct kmem_cache *cache)
{
	if (!cache)
		return 0;
	counters_own();
	kvfree_rcu_barrier();
	rcu_take_in_thread();
	if (!try_bury(cache))
		return -EBUSY;
	if (cache->flags & SLAB_TYPESAFE_BY_RCU)
		rcu_barrier(); /* for the references of its slabs */
	kmem_cache_put(cache); /* for being alive */
	return 0;
}
