/* SPDX-License-Identifier: MIT */
#include "alloc/slab/count.h"

#include <errno.h>
#include <time.h>

#include "alloc/slab/heap.h"
#include "alloc/slab/task.h"

/*
 * What is under way when the stocks freeze is done long before the last try, or
 * waits in the middle for the thaw: then another round finds it done.
 */
#define VERIFY_ROUNDS	200
#define VERIFY_TRIES	50
#define VERIFY_PAUSE_NS 200000

/* Threads that a fork left behind, each in the middle of one call at most. */
static uint32_t lost_threads; /* cgroup_lock */

/*
 * Slabs are counted while their heaps are at work. The numbers are right when
 * nothing changes; mem_cgroup_verify() sees to that, and counts again until it
 * has been so. Structs of slabs, caches and heaps are never unmapped.
 */

/* ---- Slabs -------------------------------------------------------------- */

/*
 * Objects of the active slab on its heap's freelist. The owner may pop one
 * that was under way, and write to it, so each link is looked at first.
 */
static __racy_fn uint32_t count_waiting(const struct slab *slab)
{
	struct heap *heap = heap_of_slab(slab);
	uint32_t n = 0;
	void *object;

	if (!heap || !heap_has_slot(heap, slab->cache) ||
	    READ_ONCE(heap_slot(heap, slab->cache)->active) != slab)
		return 0;
	object = READ_ONCE(*heap_freelist(heap, slab->cache));
	while (object && n < slab->nr && slab_of(object) == slab && slab_has_object(slab, object)) {
		n++;
		object = object_next(object, slab->cache->offset);
	}
	return n;
}

__racy_fn uint32_t slab_count_live(const struct slab *slab)
{
	if (remote_is_ownerless(slab))
		return remote_count(slab);
	return READ_ONCE(slab->countdown) + READ_ONCE(slab->reserve) - count_waiting(slab) -
	       remote_count(slab);
}

static __racy_fn void count_one(struct slab *slab, void *arg)
{
	struct obj_cgroup *objcg = slab->objcg;
	uint32_t live;

	(void)arg;
	if (READ_ONCE(slab->kind) != SLAB_OBJECTS) {
		objcg->counted_span += (int64_t)(slab->npages << PAGE_SHIFT);
		return;
	}
	live = slab_count_live(slab);
	objcg->counted_objects += live;
	objcg->counted_bytes += (int64_t)live * slab->size;
	objcg->counted_slab += (int64_t)(slab->npages << PAGE_SHIFT);
}

static void count_reset(struct obj_cgroup *objcg, void *arg)
{
	(void)arg;
	objcg->counted_bytes = 0;
	objcg->counted_objects = 0;
	objcg->counted_slab = 0;
	objcg->counted_span = 0;
}

void slab_count_all(void)
{
	struct mem_cgroup *memcg;

	for_each_memcg (memcg, &root_memcg)
		memcg_for_each_objcg(memcg, count_reset, NULL);
	slab_for_each(count_one, NULL);
}

/* ---- mem_cgroup_stat() -------------------------------------------------- */

static void stat_objcg(struct obj_cgroup *objcg, void *arg)
{
	struct mem_cgroup_stat *stat = arg;
	struct obj_stock_totals totals = {0};

	lock(objcg_lock(objcg));
	obj_cgroup_sum_stocks(objcg, &totals);
	unlock(objcg_lock(objcg));
	stat->object_bytes += (uint64_t)(objcg->counted_bytes + totals.manual);
	stat->span_bytes += (uint64_t)objcg->counted_span;
	stat->objects += (uint64_t)objcg->counted_objects;
	stat->slab_bytes += (uint64_t)objcg->counted_slab;
	stat->waste_bytes += (uint64_t)(objcg->counted_slab - objcg->counted_bytes);
}

int mem_cgroup_stat(struct mem_cgroup *memcg, struct mem_cgroup_stat *stat)
{
	struct mem_cgroup *pos;
	uint64_t live;

	if (stat->size != sizeof(*stat))
		return -EINVAL;
	*stat = (struct mem_cgroup_stat){.size = sizeof(*stat)};
	lock(&cgroup_lock);
	slab_count_all();
	for_each_memcg (pos, memcg)
		memcg_for_each_objcg(pos, stat_objcg, stat);
	unlock(&cgroup_lock);
	stat->current = mem_cgroup_usage(memcg);
	live = stat->object_bytes + stat->span_bytes;
	stat->stock_bytes = stat->current > live ? stat->current - live : 0;
	return 0;
}

/* ---- mem_cgroup_verify() ------------------------------------------------ */

static void verify_objcg(struct obj_cgroup *objcg, void *arg)
{
	struct mem_cgroup_identity *sum = arg;
	struct obj_stock_totals totals = {0};

	obj_cgroup_sum_stocks(objcg, &totals);
	sum->object_bytes += objcg->counted_bytes + totals.manual;
	sum->span_bytes += objcg->counted_span;
	sum->stock_bytes += totals.stock;
	sum->leftover_bytes += totals.leftover;
}

static void identity_sum(struct mem_cgroup *memcg, struct mem_cgroup_identity *sum)
{
	struct mem_cgroup *pos;

	*sum = (struct mem_cgroup_identity){0};
	slab_count_all();
	for_each_memcg (pos, memcg)
		memcg_for_each_objcg(pos, verify_objcg, sum);
	sum->usage = READ_ONCE(memcg->memory.record->usage) << PAGE_SHIFT;
}

static int64_t difference(const struct mem_cgroup_identity *sum)
{
	return sum->usage - sum->object_bytes - sum->span_bytes - sum->stock_bytes -
	       sum->leftover_bytes;
}

/* Everything of the other threads' heaps that the fork cut in two. */
static void recover_heaps(void)
{
	struct mem_cgroup *memcg;

	for_each_memcg (memcg, &root_memcg) {
		for (struct heap *heap = memcg_first_heap(memcg); heap; heap = heap->next) {
			if (!heap->torn)
				continue;
			if (heap == current_heap) {
				heap_recover(heap);
			} else if (heap_borrow(heap)) {
				heap_recover(heap);
				heap_return(heap);
			}
		}
	}
}

/* An object that a lost thread had charged but not taken, or the reverse. */
static void settle_lost(struct obj_cgroup *objcg, void *arg)
{
	struct obj_stock_totals totals = {0};
	int64_t off;

	(void)arg;
	lock(objcg_lock(objcg));
	obj_cgroup_sum_stocks(objcg, &totals);
	unlock(objcg_lock(objcg));
	off = totals.live - objcg->counted_bytes - objcg->counted_span - totals.manual;
	if (!off || off > (int64_t)(lost_threads * KMALLOC_MAX_CACHE_SIZE) ||
	    -off > (int64_t)(lost_threads * KMALLOC_MAX_CACHE_SIZE))
		return;
	atomic_sub(&objcg->live_base, off);
	obj_cgroup_return_bytes(objcg, off);
}

/* Once after a fork, before the first verification. cgroup_lock. */
static void settle_fork(void)
{
	struct mem_cgroup *memcg;

	recover_heaps();
	slab_count_all();
	for_each_memcg (memcg, &root_memcg)
		memcg_for_each_objcg(memcg, settle_lost, NULL);
	lost_threads = 0;
}

void slab_count_forked(uint32_t threads)
{
	lost_threads = threads;
}

/* Whether the numbers agreed at one moment. */
static bool verify_round(struct mem_cgroup *memcg, struct mem_cgroup_identity *sum)
{
	const struct timespec pause = {.tv_nsec = VERIFY_PAUSE_NS};

	lock(&cgroup_lock);
	if (lost_threads)
		settle_fork();
	memcg_freeze_stocks(memcg);
	identity_sum(memcg, sum);
	for (int i = 0; difference(sum) && i < VERIFY_TRIES; i++) {
		nanosleep(&pause, NULL);
		identity_sum(memcg, sum);
	}
	memcg_thaw_stocks(memcg);
	unlock(&cgroup_lock);
	return difference(sum) == 0;
}

int mem_cgroup_verify(struct mem_cgroup *memcg, struct mem_cgroup_identity *identity)
{
	struct mem_cgroup_identity sum;
	bool agreed = false;

	counters_own();
	for (int i = 0; !agreed && i < VERIFY_ROUNDS; i++)
		agreed = verify_round(memcg, &sum);
	if (identity)
		*identity = sum;
	return agreed ? 0 : -EUCLEAN;
}
