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
#include "alloc/slab/kmalloc.h"

/* ---- What the heaps have of it; cgroup_lock, so they stay with their groups --- */

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

struct slab_visit {
	const struct kmem_cache *cache;
	/* @heap: whose lock is held; NULL for a slab without owner. */
	void (*fn)(struct heap *heap, struct slab *slab, void *arg);
	void *arg;
};

/* Others' slabs come and go meanwhile. */
static __racy_fn bool is_of(const struct slab *slab, const struct kmem_cache *cache)
{
	return READ_ONCE(slab->kind) == SLAB_OBJECTS && slab->cache == cache;
}

static void visit_slab(struct slab *slab, void *arg)
{
	struct slab_visit *visit = arg;
	struct heap *heap;

	if (!is_of(slab, visit->cache))
		return;
	heap = heap_of_slab(slab);
	if (!heap) {
		if (remote_is_ownerless(slab))
			visit->fn(NULL, slab, visit->arg);
		return;
	}
	lock(&heap->lock);
	/* Who collects may just have given it back. */
	if (is_of(slab, visit->cache) && heap_of_slab(slab) == heap)
		visit->fn(heap, slab, visit->arg);
	unlock(&heap->lock);
}

static void for_each_slab_of(const struct kmem_cache *cache,
			     void (*fn)(struct heap *heap, struct slab *slab, void *arg), void *arg)
{
	struct slab_visit visit = {.cache = cache, .fn = fn, .arg = arg};

	slab_for_each(visit_slab, &visit);
}

/* ---- Objects that are still in use ------------------------------------------ */

static void uncount_waiting(struct heap *heap, struct kmem_cache *cache, void *arg)
{
	int64_t *live = arg;

	lock(&heap->lock);
	*live -= heap_slot_waiting(heap_slot(heap, cache));
	unlock(&heap->lock);
}

static void count_out(struct heap *heap, struct slab *slab, void *arg)
{
	int64_t *live = arg;

	(void)heap;
	*live += slab_count_out(slab);
}

static int64_t count_live(struct kmem_cache *cache)
{
	int64_t live = 0;

	for_each_heap_with(cache, uncount_waiting, &live);
	for_each_slab_of(cache, count_out, &live);
	return live;
}

static void note_sites(struct heap *heap, struct slab *slab, void *arg)
{
	(void)heap;
	debug_note_sites(slab, arg);
}

static void report_sites(struct kmem_cache *cache)
{
	struct debug_sites sites = {0};

	for_each_slab_of(cache, note_sites, &sites);
	debug_report_sites(&sites);
}

/* ---- Burying ------------------------------------------------------------------ */

static void forget(struct heap *heap, struct kmem_cache *cache, void *arg)
{
	(void)arg;
	heap_forget_cache(heap, cache);
}

static void bury(struct heap *heap, struct slab *slab, void *arg)
{
	(void)arg;
	heap_bury_slab(heap, slab);
}

/* Returns how many objects are in use; none: the cache has no slabs any more. */
static int64_t try_bury(struct kmem_cache *cache)
{
	int64_t live;

	lock(&cgroup_lock);
	slab_recover_fork();
	live = count_live(cache);
	if (!live) {
		for_each_heap_with(cache, forget, NULL);
		for_each_slab_of(cache, bury, NULL);
	}
	unlock(&cgroup_lock);
	return live;
}

int kmem_cache_destroy(struct kmem_cache *cache)
{
	int64_t live;

	if (!cache)
		return 0;
	counters_own();
	kvfree_rcu_barrier();
	rcu_take_in_thread();
	live = try_bury(cache);
	if (live) {
		warn("kmem_cache_destroy(\"%s\"): %ld objects are still in use", cache->name,
		     (long)live);
		lock(&cgroup_lock);
		report_sites(cache);
		unlock(&cgroup_lock);
		return -EBUSY;
	}
	if (cache->flags & SLAB_TYPESAFE_BY_RCU)
		rcu_barrier(); /* for the references of its slabs */
	kmem_cache_put(cache); /* for being alive */
	return 0;
}
