/* SPDX-License-Identifier: MIT */
#include "alloc/slab/heap.h"

#include <errno.h>
#include <string.h>

#include "alloc/base/message.h"
#include "alloc/base/os.h"
#include "alloc/pages/page_purger.h"
#include "alloc/slab/heap_table.h"

struct heap heap_none;

__thread struct heap *current_heap = &heap_none;

/* size_class() of each multiple of 16. */
#define SLOT(class) offsetof(struct heap, slots[class])

const uint16_t heap_slot_offsets[HEAP_LOOKUP / 16 + 1] = {
	[0 ... 1] = SLOT(0),	[2] = SLOT(1),		[3] = SLOT(2),
	[4] = SLOT(3),		[5] = SLOT(4),		[6] = SLOT(5),
	[7] = SLOT(6),		[8] = SLOT(7),		[9 ... 10] = SLOT(8),
	[11 ... 12] = SLOT(9),	[13 ... 14] = SLOT(10), [15 ... 16] = SLOT(11),
	[17 ... 20] = SLOT(12), [21 ... 24] = SLOT(13), [25 ... 28] = SLOT(14),
	[29 ... 32] = SLOT(15), [33 ... 40] = SLOT(16), [41 ... 48] = SLOT(17),
	[49 ... 56] = SLOT(18), [57 ... 64] = SLOT(19),
};

/* The same for programs, which see the stock in front of the heap. */
extern __thread struct cgslab_stock *cgslab_stock_1 __attribute__((alias("current_heap")));

/*
 * A heap is born under it, from the first step to its place on the group's
 * list: so fork() finds heaps that are on their lists, and no others.
 */
static struct lock heaps_lock = LOCK_INIT(LOCK_RANK_HEAPS);
static uint32_t nr_heaps; /* heaps_lock: that groups have */

/* ---- The list of a group: memcg->heaps, bit 0 set once closed ----------- */

#define HEAPS_CLOSED 1ul

struct heap *memcg_first_heap(const struct mem_cgroup *memcg)
{
	return (struct heap *)(load_acquire(&memcg->heaps) & ~HEAPS_CLOSED);
}

/* False if the group is closed. */
static bool memcg_push_heap(struct mem_cgroup *memcg, struct heap *heap)
{
	uintptr_t head = READ_ONCE(memcg->heaps);

	do {
		if (head & HEAPS_CLOSED) /* pairs with memcg_close_heaps() */
			return false;
		WRITE_ONCE(heap->next, (struct heap *)head);
	} while (!cmpxchg_release(&memcg->heaps, &head, (uintptr_t)heap));
	return true;
}

/* ---- Birth and death ---------------------------------------------------- */

/* heaps_lock. */
static struct heap *heap_alloc(void)
{
	struct heap *heap = heap_table_get();

	if (heap && ++nr_heaps == HEAPS_MANY)
		page_purger_want();
	return heap;
}

/* The tables stay with it, empty. The owner, or whoever has closed it. */
static void heap_forget_slots(struct heap *heap)
{
	memset(heap->slots, 0, sizeof(heap->slots));
	if (heap->nr_extra)
		memset(heap->extra_slots, 0, heap->nr_extra * sizeof(*heap->extra_slots));
}

/* ->owner stays HEAP_CLOSED: nobody claims it by an old hint. */
static void heap_free(struct heap *heap)
{
	heap_note_claimed(heap);
	lock(&heaps_lock);
	WRITE_ONCE(heap->memcg, NULL);
	nr_heaps--;
	heap_table_put(heap);
	unlock(&heaps_lock);
}

static void heap_init(struct heap *heap, struct mem_cgroup *memcg, struct task *owner)
{
	lock_init(&heap->lock, LOCK_RANK_HEAP);
	WRITE_ONCE(heap->memcg, memcg);
	heap->torn = false;
	WRITE_ONCE(heap->left, HEAPS_EPOCH);
	obj_stock_attach(&heap->stock, memcg->objcg);
	store_release(&heap->owner, owner); /* pairs with heaps_decay() */
}

static struct heap *heap_create(struct mem_cgroup *memcg, struct task *owner)
{
	struct heap *heap;
	bool pushed = false;

	lock(&heaps_lock);
	heap = heap_alloc();
	if (heap) {
		heap_init(heap, memcg, owner);
		pushed = memcg_push_heap(memcg, heap);
	}
	unlock(&heaps_lock);
	if (!heap) {
		errno = ENOMEM;
		return NULL;
	}
	if (!pushed) {
		obj_stock_detach(&heap->stock);
		WRITE_ONCE(heap->owner, HEAP_CLOSED);
		heap_free(heap);
		errno = ENODEV;
		return NULL;
	}
	return heap;
}

/* As of the end of a rmdir that is under way, which may open the group again. */
static bool memcg_is_online(struct mem_cgroup *memcg)
{
	bool online;

	lock(&cgroup_lock);
	online = memcg_is_staying(memcg);
	unlock(&cgroup_lock);
	return online;
}

struct heap *heap_claim(struct mem_cgroup *memcg, struct task *owner)
{
	struct heap *heap;

	do {
		/* From one that moves on meanwhile it is not far to the end. */
		for (heap = memcg_first_heap(memcg); heap && READ_ONCE(heap->memcg) == memcg;
		     heap = READ_ONCE(heap->next))
			if (heap_claim_again(memcg, owner, heap))
				return heap;
		heap = heap_create(memcg, owner);
	} while (!heap && errno == ENODEV && memcg_is_online(memcg));
	return heap;
}

bool heap_borrow(struct heap *heap)
{
	return heap_try_claim(heap, HEAP_BORROWED);
}

static void park_and_collect(struct heap *heap)
{
	/*
	 * Pairs with heap_push_remote() and push_incoming(), each of which swaps,
	 * and with heap_try_claim() after them: we see what came in, or who brought
	 * it sees that the heap is parked.
	 */
	__atomic_store_n(&heap->owner, HEAP_PARKED, __ATOMIC_SEQ_CST);
	heap_collect_parked(heap);
}

void heap_return(struct heap *heap)
{
	obj_stock_tell(&heap->stock);
	heap_note_left(heap);
	park_and_collect(heap);
}

void heap_return_idle(struct heap *heap)
{
	heap_rest(heap);
	park_and_collect(heap);
}

void heaps_fork_prepare(void)
{
	lock(&heaps_lock);
}

void heaps_fork_done(void)
{
	unlock(&heaps_lock);
}

void heaps_purge(void)
{
	lock(&heaps_lock);
	heap_table_purge();
	unlock(&heaps_lock);
}

/* ---- Leaving ------------------------------------------------------------ */

/*
 * False if the group is closed. cgroup_lock keeps those away who walk the list
 * and need all of it; others find the heap without a group, and stop there.
 */
static bool memcg_drop_heap(struct mem_cgroup *memcg, struct heap *heap)
{
	struct heap *pos;
	bool closed;

	lock(&heaps_lock); /* against memcg_push_heap() */
	pos = memcg_first_heap(memcg);
	closed = READ_ONCE(memcg->heaps) & HEAPS_CLOSED;
	if (!closed && pos == heap) {
		store_release(&memcg->heaps, (uintptr_t)heap->next);
	} else if (!closed) {
		while (pos->next != heap)
			pos = pos->next;
		WRITE_ONCE(pos->next, heap->next);
	}
	unlock(&heaps_lock);
	return !closed;
}

bool heap_leave(struct heap *heap)
{
	if (!memcg_drop_heap(heap->memcg, heap))
		return false;
	obj_stock_detach(&heap->stock);
	heap_forget_slots(heap);
	WRITE_ONCE(heap->owner, HEAP_CLOSED);
	heap_free(heap);
	return true;
}

/* ---- Offline ------------------------------------------------------------ */

/* Claims the heap for good; false if a thread is inside. */
static bool heap_close(struct heap *heap)
{
	unsigned int tries = 0;

	while (!heap_try_claim(heap, HEAP_CLOSED)) {
		struct task *owner = READ_ONCE(heap->owner);

		if (owner != HEAP_PARKED && owner != HEAP_BORROWED)
			return false;
		os_pause(tries++); /* a borrower is done soon */
	}
	if (unlikely(heap->torn)) /* nobody else can, from now on */
		heap_recover(heap);
	return true;
}

/* Of a closed group: its heaps up to @end are parked, and others may come. */
static void open_heaps(struct mem_cgroup *memcg, const struct heap *end)
{
	struct heap *first = memcg_first_heap(memcg);

	for (struct heap *heap = first; heap != end; heap = heap->next)
		heap_return(heap);
	store_release(&memcg->heaps, (uintptr_t)first);
}

void memcg_open_heaps(struct mem_cgroup *memcg)
{
	open_heaps(memcg, NULL);
}

bool memcg_close_heaps(struct mem_cgroup *memcg)
{
	struct heap *heap;

	/* Pairs with memcg_push_heap(): no more come. */
	__atomic_fetch_or(&memcg->heaps, HEAPS_CLOSED, __ATOMIC_ACQ_REL);
	for (heap = memcg_first_heap(memcg); heap; heap = heap->next) {
		if (heap_close(heap))
			continue;
		open_heaps(memcg, heap);
		return false;
	}
	return true;
}

bool memcg_has_owned_heap(struct mem_cgroup *memcg)
{
	for (struct heap *heap = memcg_first_heap(memcg); heap; heap = heap->next)
		if ((uintptr_t)READ_ONCE(heap->owner) > (uintptr_t)HEAP_PARKED)
			return true;
	return false;
}

void memcg_release_heaps(struct mem_cgroup *memcg)
{
	struct heap *heap;

	/* Objects on their way within the group first: all its slabs have owners. */
	for (heap = memcg_first_heap(memcg); heap; heap = heap->next)
		heap_pass_on(heap);
	heap = memcg_first_heap(memcg);
	while (heap) {
		struct heap *next = heap->next;

		heap_disown_slabs(heap);
		obj_stock_detach(&heap->stock);
		heap_forget_slots(heap);
		heap_free(heap);
		heap = next;
	}
}
