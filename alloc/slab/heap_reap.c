/* SPDX-License-Identifier: MIT */
/*
 * Slabs that others have emptied.
 *
 * What other threads free waits for the owner of the heap, who makes his next objects of
 * it. One who sleeps, or is held up until there is memory, does not come for it. But a
 * slab all of whose objects are on its remote list can be given back by any thread with
 * heap->lock:
 *
 *   nothing of it is left to the owner. None of its objects is live, on a freelist, or
 *   freed to the slab by himself; so he is not on his way to slab_event() either, and
 *   what he carves has room left;
 *
 *   nobody else looks at it. Each object was pushed, and who made the list has put the
 *   slab on heap->remote_slabs, where it was found;
 *
 *   all that was done to the objects was done before they were pushed.
 */
#include "alloc/slab/heap_slabs.h"
#include "alloc/slab/heap_table.h"
#include "alloc/slab/remote.h"

/* heap->lock. */
static void bury_dead(struct heap *heap)
{
	/* Pairs with the swap in heap_push_remote(). */
	struct slab *slab = __atomic_exchange_n(&heap->remote_slabs, NULL, __ATOMIC_ACQUIRE);
	struct slab *next;

	for (; slab; slab = next) {
		next = slab->remote_next;
		if (remote_is_all(slab))
			heap_bury_slab(heap, slab);
		else
			heap_push_remote(heap, slab);
	}
}

static void reap_if_born(struct heap *heap, void *arg)
{
	(void)arg;
	if (!heap_has_remote(heap))
		return;
	lock(&cgroup_lock);				 /* it does not change its group */
	if (load_acquire(&heap->owner) != HEAP_CLOSED) { /* pairs with heap_init() */
		lock(&heap->lock);
		heap_redirect_incoming(heap);
		bury_dead(heap);
		unlock(&heap->lock);
	}
	unlock(&cgroup_lock);
	heap_collect_parked(heap); /* its owner may have looked in between */
}

void heaps_reap(void)
{
	counters_own();
	rcu_take_in_thread(); /* a SLAB_TYPESAFE_BY_RCU slab waits for a grace period */
	heap_pass_on(current_heap);
	heap_table_for_each_stirring(reap_if_born, NULL);
}
