/* SPDX-License-Identifier: MIT */
/*
 * Parked heaps that nobody comes for.
 *
 * A heap that is parked for a second keeps what the next in its group may want:
 * freelists, empty slabs, bytes in its stock. Then it is trimmed, once, and if no
 * slab is left, it leaves its group, and others get it. Whoever looks for a heap
 * of the group later makes one.
 *
 *   heap_note_left()                heaps_retire(), now and then
 *   ------------------------        -------------------------------------
 *   heap->left = heaps_epoch        heaps_epoch += 2
 *   heap->owner = parked            parked, and left two epochs ago:
 *   if heaps_epoch is odd,              borrow it, trim it, left = 0
 *       make it even                nothing to come: heaps_epoch is odd
 *
 * So the time costs the owner no look at a clock. A heap that is parked while
 * the last two steps on the right are done may be missed, until any other is
 * parked; that costs memory for a while, and nothing else.
 *
 * A heap leaves with cgroup_lock held, borrowed, and without slabs: as each
 * object that is live, on its way or announced belongs to a slab that has not
 * been given back, nobody has an object of it, so nobody has use for it.
 */
#include "alloc/base/rcu.h"
#include "alloc/pages/page_purger.h"
#include "alloc/slab/heap_table.h"
#include "alloc/slab/task.h"

#define DECAY_MS 500

uint32_t heaps_epoch = HEAPS_EPOCH;

static uint64_t next_look; /* of os_clock_ms(); who decays */

void heaps_wake(void)
{
	uint32_t epoch = READ_ONCE(heaps_epoch);

	if (epoch & HEAPS_AT_REST && cmpxchg_relaxed(&heaps_epoch, &epoch, epoch + 1))
		page_purger_want();
}

void heaps_purger_lost(void)
{
	heaps_epoch |= HEAPS_AT_REST;
}

/* ---- One heap -------------------------------------------------------------- */

static bool slots_are_empty(const struct heap_slot *slots, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (slots[i].nr_slabs)
			return false;
	return true;
}

/* Owner or borrower. */
static bool has_no_slabs(const struct heap *heap)
{
	return slots_are_empty(heap->slots, SIZE_CLASSES) &&
	       slots_are_empty(heap->extra_slots, heap->nr_extra);
}

bool heap_leave_if_empty(struct heap *heap)
{
	return has_no_slabs(heap) && heap_leave(heap);
}

/* Of a heap that was seen without slabs; perhaps it has some again. */
static bool give_away(struct heap *heap)
{
	bool gone = false;

	lock(&cgroup_lock);
	if (heap_borrow(heap)) {
		gone = heap_leave_if_empty(heap);
		if (!gone)
			heap_return(heap);
	}
	unlock(&cgroup_lock);
	return gone;
}

/* Trims a parked heap. Returns whether its group has it no more. */
static bool give_back(struct heap *heap)
{
	bool empty;

	if (!heap_borrow(heap))
		return false;
	heap_trim(heap, NULL);
	obj_stock_settle(&heap->stock);
	empty = has_no_slabs(heap);
	heap_return_idle(heap);
	return empty && give_away(heap);
}

/* ---- All heaps --------------------------------------------------------------- */

struct decay {
	uint32_t epoch;
	bool waits; /* a heap is not idle for long enough */
	bool gave;  /* pages may have come free */
	bool gone;  /* heaps have */
};

static void decay_one(struct heap *heap, void *arg)
{
	struct decay *decay = arg;
	uint32_t left;

	if (READ_ONCE(heap->owner) != HEAP_PARKED)
		return;
	left = READ_ONCE(heap->left);
	if (!left) /* it has come to rest just now */
		return;
	if (decay->epoch - left < 2 * HEAPS_EPOCH) {
		decay->waits = true;
		return;
	}
	decay->gave = true;
	decay->gone |= give_back(heap);
}

static void purge_table(const struct decay *decay)
{
	if (decay->gone)
		heaps_purge();
}

bool heaps_retire_look(void)
{
	struct decay decay = {.epoch = (READ_ONCE(heaps_epoch) & ~HEAPS_AT_REST) + HEAPS_EPOCH};

	if (!decay.epoch) /* 0 stands for trimmed */
		decay.epoch = HEAPS_EPOCH;
	WRITE_ONCE(heaps_epoch, decay.epoch);
	heap_table_for_each_stirring(decay_one, &decay);
	purge_table(&decay);
	if (decay.waits || decay.gave)
		return true;
	WRITE_ONCE(heaps_epoch, decay.epoch | HEAPS_AT_REST);
	return false;
}

bool heaps_retire(void)
{
	uint64_t now = os_clock_ms();

	if (READ_ONCE(heaps_epoch) & HEAPS_AT_REST)
		return false;
	if (now < next_look)
		return true;
	next_look = now + DECAY_MS;
	counters_own();
	return heaps_retire_look();
}

static bool is_idle(struct heap *heap)
{
	return READ_ONCE(heap->owner) == HEAP_PARKED && READ_ONCE(heap->left);
}

static void count_one(struct heap *heap, void *arg)
{
	*(size_t *)arg += is_idle(heap);
}

size_t heaps_idle(void)
{
	size_t idle = 0;

	heap_table_for_each_stirring(count_one, &idle);
	return idle;
}

struct give {
	size_t want;
	size_t given;
	struct decay decay;
};

static void give_one(struct heap *heap, void *arg)
{
	struct give *give = arg;

	if (give->given == give->want || !is_idle(heap))
		return;
	give->given++;
	give->decay.gone |= give_back(heap);
}

size_t heaps_give_idle(size_t heaps)
{
	struct give give = {.want = heaps};

	counters_own();
	rcu_take_in_thread();
	heap_table_for_each_stirring(give_one, &give);
	purge_table(&give.decay);
	return give.given;
}

static void shrink_one(struct heap *heap, void *arg)
{
	struct decay *decay = arg;

	if (task_owns(heap))
		heap_trim(heap, NULL);
	else
		decay->gone |= give_back(heap);
}

void heaps_shrink(void)
{
	struct decay decay = {0};

	counters_own();
	rcu_take_in_thread();
	heap_table_for_each(shrink_one, &decay);
	purge_table(&decay);
}
