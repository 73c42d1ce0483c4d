/* SPDX-License-Identifier: MIT */
/* mem_cgroup_transfer(), span_transfer(): blocks and spans that change their group. */
#include <errno.h>
#include <string.h>

#include "accounting/charge.h"
#include "accounting/high.h"
#include "accounting/move.h"
#include "alloc/slab/fast.h"
#include "alloc/slab/kmalloc.h"
#include "alloc/slab/purger.h"
#include "alloc/slab/span.h"
#include "alloc/slab/task.h"

/* ---- Objects ------------------------------------------------------------------ */

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

/* ---- Spans -------------------------------------------------------------------- */

struct passing {
	struct slab *span;
	struct obj_cgroup *last; /* to be put, with nothing held; or NULL */
};

static void pass_span(void *arg, struct obj_cgroup *to)
{
	struct passing *passing = arg;

	passing->last = span_set_objcg(passing->span, to);
}

/* A block's, whose owner has it to himself. */
static int transfer_block(struct slab *span, struct mem_cgroup *to)
{
	struct passing passing = {.span = span};
	int err = obj_cgroup_move_span(span->objcg, to, slab_bytes(span), pass_span, &passing);

	if (passing.last)
		obj_cgroup_put(passing.last);
	return err;
}

/* BUSY; on whatever list it is, it is on that of its new group then. */
static int try_transfer(struct passing *passing, struct mem_cgroup *to, struct charge *charge)
{
	struct slab *span = passing->span;
	const struct span_charge what = {
		.memory = span_memory_bytes(span),
		.swap = span->swap ? (int64_t)slab_bytes(span) : 0,
		.packed = (int64_t)span->packed << PAGE_SHIFT,
	};
	int err;

	if (!span->objcg)
		return -EINVAL;
	if (span->objcg == to->objcg)
		return 0;
	span_lru_del(span);
	err = obj_cgroup_try_move_span(charge, span->objcg, to, &what, pass_span, passing);
	span_lru_add(span);
	return err;
}

/* Nothing is reclaimed with the span BUSY; so it is looked at anew each time. */
static int transfer_span(struct slab *span, struct mem_cgroup *to)
{
	struct passing passing = {.span = span};
	struct charge charge;
	int err;

	charge_begin(&charge, to->objcg, GFP_NOFS, slab_bytes(span));
	do {
		err = span_isolate(span);
		if (err)
			break;
		err = try_transfer(&passing, to, &charge);
		span_putback(span);
	} while (err == -ENOMEM && charge_again(&charge));
	charge_end(&charge);
	if (passing.last)
		obj_cgroup_put(passing.last);
	return err == -ENOSPC ? -ENOMEM : err;
}

int span_transfer(struct span *span, struct mem_cgroup *to)
{
	int saved_errno = errno;
	int err;

	if (!to)
		to = process_memcg;
	if (!load_acquire(&to->online))
		return -ENODEV;
	counters_own();
	rcu_take_in_thread();
	err = transfer_span(span_slab(span), to);
	memcg_charge_done(GFP_NOFS);
	errno = saved_errno;
	return err;
}

/* ---- Blocks ------------------------------------------------------------------- */

static int transfer(void **ptr, struct mem_cgroup *to)
{
	struct slab *slab = live_slab(*ptr, "mem_cgroup_transfer");

	if (!load_acquire(&to->online))
		return -ENODEV;
	if (slab->objcg == to->objcg)
		return 0;
	rcu_take_in_thread();
	if (slab->kind == SLAB_SPAN)
		return transfer_block(slab, to);
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
