/* SPDX-License-Identifier: MIT */
#include "alloc/slab/count.h"

#include "accounting/swap.h"
#include "alloc/slab/heap.h"
#include "alloc/slab/span.h"
#include "alloc/slab/task.h"

/* Threads that a fork left behind, each in the middle of one call at most. */
static uint32_t lost_threads; /* cgroup_lock */

/*
 * Slabs are counted while their heaps are at work. The numbers are right when
 * nothing changes; mem_cgroup_verify() sees to that, and counts again until it
 * has been so. Structs of slabs, caches and heaps are never unmapped.
 */

/* ---- Slabs -------------------------------------------------------------- */

__racy_fn uint32_t slab_count_out(const struct slab *slab)
{
	if (remote_is_ownerless(slab))
		return remote_count(slab);
	return READ_ONCE(slab->countdown) + READ_ONCE(slab->reserve) - remote_count(slab);
}

static __racy_fn void count_span(const struct slab *span, struct obj_cgroup *objcg)
{
	int64_t bytes = (int64_t)slab_bytes(span);
	bool resident = span_is_charged(span);
	bool swapped = span_is_charged_to_swap(span);

	if (!objcg)
		return;
	objcg->counted_span += span_memory_bytes(span);
	objcg->counted_swap += swapped ? bytes : 0;
	objcg->counted_transit += resident && swapped ? bytes : 0;
	READ_ONCE(objcg->memcg)->counted_zswap += (int64_t)READ_ONCE(span->packed) << PAGE_SHIFT;
}

static __racy_fn void count_one(struct slab *slab, void *arg)
{
	struct obj_cgroup *objcg = READ_ONCE(slab->objcg);
	uint32_t out;

	(void)arg;
	if (READ_ONCE(slab->kind) != SLAB_OBJECTS) {
		count_span(slab, objcg);
		return;
	}
	out = slab_count_out(slab);
	objcg->counted_objects += out;
	objcg->counted_bytes += (int64_t)out * slab->size;
	objcg->counted_slab += (int64_t)slab_bytes(slab);
}

/* Objects that are free, but not in their slabs: on freelists, and away. */
static __racy_fn void uncount_slots(struct obj_cgroup *objcg, const struct heap_slot *slots,
				    uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		const struct heap_slot *slot = &slots[i];

		objcg->counted_objects -= heap_slot_waiting(slot);
		objcg->counted_bytes -= (int64_t)heap_slot_waiting(slot) * slot->size;
	}
}

static __racy_fn void uncount_waiting(struct heap *heap)
{
	struct obj_cgroup *objcg = heap->stock.objcg;
	int64_t objects, bytes;

	uncount_slots(objcg, heap->slots, SIZE_CLASSES);
	uncount_slots(objcg, heap->extra_slots, heap->nr_extra);
	heap_count_away(heap, &objects, &bytes);
	objcg->counted_objects -= objects;
	objcg->counted_bytes -= bytes;
}

static void count_reset(struct obj_cgroup *objcg, void *arg)
{
	(void)arg;
	objcg->counted_bytes = 0;
	objcg->counted_objects = 0;
	objcg->counted_slab = 0;
	objcg->counted_span = 0;
	objcg->counted_swap = 0;
	objcg->counted_transit = 0;
}

void slab_count_all(void)
{
	struct mem_cgroup *memcg;

	for_each_memcg (memcg, &root_memcg) {
		memcg->counted_zswap = 0;
		memcg_for_each_objcg(memcg, count_reset, NULL);
	}
	slab_for_each(count_one, NULL);
	for_each_memcg (memcg, &root_memcg)
		for (struct heap *heap = memcg_first_heap(memcg); heap; heap = heap->next)
			uncount_waiting(heap);
}

/* ---- After a fork ---------------------------------------------------------- */

/* Up to so many slabs a child sets its books right at once, which is exact. */
#define SETTLE_AT_ONCE 4096

/* Later, what is under way when the stocks are frozen is done in that time. */
#define SETTLE_TRIES	100
#define SETTLE_AGREED	4
#define SETTLE_PAUSE_US 5000

void slab_recover_fork(void)
{
	struct mem_cgroup *memcg;

	if (!lost_threads)
		return;
	for_each_memcg (memcg, &root_memcg) {
		for (struct heap *heap = memcg_first_heap(memcg); heap; heap = heap->next) {
			if (!heap->torn)
				continue;
			if (task_owns(heap)) {
				heap_recover(heap);
			} else if (heap_borrow(heap)) {
				heap_recover(heap);
				heap_park(heap);
			}
		}
	}
}

/*
 * What the lost threads had charged but not taken, or the reverse: a span may be
 * of any size. *@arg tells whether it is the same as at the last count.
 */
static void find_lost(struct obj_cgroup *objcg, void *arg)
{
	struct obj_stock_totals totals = {0};
	bool *same = arg;
	int64_t off;

	obj_cgroup_sum_stocks(objcg, &totals);
	off = totals.live - objcg->counted_bytes - objcg->counted_span - totals.manual;
	*same &= off == objcg->counted_lost;
	objcg->counted_lost = off;
}

static void settle_lost(struct obj_cgroup *objcg, void *arg)
{
	struct obj_stock_totals totals = {0};

	(void)arg;
	obj_cgroup_sum_stocks(objcg, &totals);
	__obj_cgroup_uncharge_lost(objcg, objcg->counted_lost, totals.span - objcg->counted_span);
	objcg->counted_lost = 0;
}

static void settle_all(void)
{
	struct mem_cgroup *memcg;

	for_each_memcg (memcg, &root_memcg) {
		memcg_for_each_objcg(memcg, settle_lost, NULL);
		memcg_settle_swap(memcg);
	}
	lost_threads = 0;
}

/* Counts once; whether it came out as the last time. */
static bool count_lost(void)
{
	struct mem_cgroup *memcg;
	bool same = true;

	slab_count_all();
	for_each_memcg (memcg, &root_memcg)
		memcg_for_each_objcg(memcg, find_lost, &same);
	return same;
}

/* The child may have threads of its own by now; they come to rest as for a count. */
void slab_settle_fork(void)
{
	int agreed = 0;

	for (int i = 0; lost_threads && agreed < SETTLE_AGREED && i < SETTLE_TRIES; i++) {
		agreed = count_lost() ? agreed + 1 : 0;
		os_sleep_us(SETTLE_PAUSE_US);
	}
	if (lost_threads && agreed == SETTLE_AGREED)
		settle_all();
}

void slab_count_forked(uint32_t threads)
{
	lost_threads += threads;
	if (slab_table_size() > SETTLE_AT_ONCE)
		return;
	slab_recover_fork();
	count_lost();
	settle_all();
}
