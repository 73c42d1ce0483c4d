/* SPDX-License-Identifier: MIT */
/* mem_cgroup_transfer(): blocks that change their group. */
#include <errno.h>
#include <string.h>

#include "accounting/high.h"
#include "accounting/move.h"
#include "alloc/slab/fast.h"
#include "alloc/slab/kmalloc.h"
#include "alloc/slab/purger.h"
#include "alloc/slab/task.h"

/* Who knows an object by its address would miss it, or find another. */
static bool is_bound(const struct kmem_cache *cache)
{
	return cache->ctor || (cache->flags & SLAB_TYPESAFE_BY_RCU);
}

static bool has_free_object(void *arg)
{
	struct kmem_cache *cache = arg;
	struct heap *heap = current_heap;

	return (heap_has_slot(heap, cache) && heap_slot(heap, cache)->freelist) ||
	       !heap_refill(heap, cache);
}

/* For an object of @slab, one of the heap that the thread visits; with its charge. */
static void *take_place(struct slab *slab)
{
	struct kmem_cache *cache = slab->cache;
	struct heap *heap = current_heap;
	struct heap_slot *slot;

	if (obj_cgroup_move_bytes(slab->objcg, &heap->stock, slab->size, has_free_object, cache))
		return NULL;
	slot = heap_slot(heap, cache);
	return heap_slot_pop(slot, slot->freelist, cache->offset);
}

static int transfer_object(void **ptr, struct slab *slab, struct mem_cgroup *to)
{
	struct heap *home = task_visit(to);
	void *old = *ptr, *new;

	if (!home)
		return -errno;
	new = take_place(slab);
	if (new) {
		memcpy(new, old, slab->size);
		debug_free(slab, old, "mem_cgroup_transfer");
		remote_free(slab, old); /* its bytes have gone; the slab may, too */
		*ptr = new;
	}
	task_end_visit(home);
	return new ? 0 : -ENOMEM;
}

static struct obj_cgroup *pass_span(void *span, struct obj_cgroup *to)
{
	return span_set_objcg(span, to);
}

static int transfer(void **ptr, struct mem_cgroup *to)
{
	struct slab *slab = live_slab(*ptr, "mem_cgroup_transfer");

	if (!load_acquire(&to->online))
		return -ENODEV;
	if (slab->objcg == to->objcg)
		return 0;
	rcu_take_in_thread();
	if (slab->kind == SLAB_SPAN)
		return obj_cgroup_move_span(slab->objcg, to, slab_bytes(slab), pass_span, slab);
	return is_bound(slab->cache) ? -EINVAL : transfer_object(ptr, slab, to);
}

int mem_cgroup_transfer(void **ptr, struct mem_cgroup *to)
{
	int saved_errno = errno;
	int err;

	if (!*ptr)
		return 0;
	slab_init(); /* for what is no block, perhaps */
	counters_own();
	err = transfer(ptr, to ? to : process_memcg);
	purger_start_in_alloc();
	memcg_charge_done(GFP_NOFS);
	errno = saved_errno;
	return err;
}
