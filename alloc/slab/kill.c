/* SPDX-License-Identifier: MIT */
/*
 * mem_cgroup_kill(): a subtree goes with all objects and spans in it.
 *
 * First, under cgroup_lock and with every heap of the subtree closed: what is
 * live is uncharged, from what slabs and lists count, and the groups are taken
 * offline as by rmdir, with nothing left to hand over but what was charged by
 * hand. Whoever counts finds all of it, or none. Then, without a lock: the slabs
 * are wiped, if wanted, and their pages given back.
 *
 * Slabs and spans are found from
 *
 *   the heaps of each group of the subtree,
 *   objcg->spans of its obj_cgroup, and of those that it has from dead descendants,
 *   objcg->slabs of the latter: slabs without an owner.
 */
#include "alloc/slab/kill.h"

#include <errno.h>

#include "alloc/base/rcu.h"
#include "alloc/slab/debug.h"
#include "alloc/slab/kmalloc.h"
#include "alloc/slab/span.h"

void doom_slab(struct doomed *doomed, struct slab *slab)
{
	debug_note_killed(slab);
	WRITE_ONCE(slab->owner, 0);
	WRITE_ONCE(slab->kind, SLAB_KILLED);
	slab->remote_next = doomed->slabs;
	doomed->slabs = slab;
}

/* ---- The books ---------------------------------------------------------------- */

struct bill {
	struct obj_cgroup_killed killed;
	struct doomed *doomed;
};

/* A slab without an owner. */
static void kill_slab(struct slab *slab, struct bill *bill)
{
	hlist_del_init(&slab->node);
	bill->killed.object_bytes += (int64_t)slab_count_out(slab) * slab->size;
	bill->killed.slab_bytes += (int64_t)slab_bytes(slab);
	bill->killed.objects += slab->noted;
	doom_slab(bill->doomed, slab);
}

static void kill_span(struct slab *span, void *arg)
{
	struct bill *bill = arg;

	bill->killed.span_bytes += span_memory_bytes(span);
	if (span->packed) {
		bill->killed.zswap_bytes += (int64_t)span->packed << PAGE_SHIFT;
		bill->killed.zswapped_bytes += (int64_t)slab_bytes(span);
	}
	if (span_is_charged_to_swap(span))
		bill->killed.swap_bytes += (int64_t)slab_bytes(span);
	doom_slab(bill->doomed, span);
}

static void kill_objcg(struct obj_cgroup *objcg, void *arg)
{
	struct bill bill = {.doomed = arg};

	lock(objcg_lock(objcg));
	while (objcg->slabs.first)
		kill_slab(container_of(objcg->slabs.first, struct slab, node), &bill);
	slab_take_spans(objcg, kill_span, &bill);
	__obj_cgroup_uncharge_killed(objcg, &bill.killed);
	unlock(objcg_lock(objcg));
}

static void kill_memcg(struct mem_cgroup *memcg, void *arg)
{
	for (struct heap *heap = memcg_first_heap(memcg); heap; heap = heap->next)
		heap_kill(heap, arg);
	memcg_for_each_objcg(memcg, kill_objcg, arg);
}

/* ---- The memory --------------------------------------------------------------- */

/* Of SLAB_TYPESAFE_BY_RCU caches: readers may look at objects for a grace period. */
static bool has_readers(const struct slab *slab)
{
	return slab->cache->flags & SLAB_TYPESAFE_BY_RCU;
}

static void release_one(struct slab *slab, unsigned int flags)
{
	if (!slab->size && slab->swap)
		span_ops.drop_swap(slab->swap, flags & MEMCG_KILL_WIPE
						       ? SPAN_DROP_KILLED | SPAN_DROP_WIPE
						       : SPAN_DROP_KILLED);
	if (flags & MEMCG_KILL_WIPE)
		slab_wipe(slab);
	if (slab->size)
		kmem_cache_put(slab->cache);
	obj_cgroup_put(slab->objcg);
	debug_keep_killed(slab);
}

static void release_doomed(struct doomed *doomed, unsigned int flags)
{
	struct slab *slab, *next, *later = NULL;

	for (slab = doomed->slabs; slab; slab = next) {
		next = slab->remote_next;
		if (has_readers(slab)) {
			slab->remote_next = later;
			later = slab;
		} else {
			release_one(slab, flags);
		}
	}
	if (!later)
		return;
	synchronize_rcu();
	for (slab = later; slab; slab = next) {
		next = slab->remote_next;
		release_one(slab, flags);
	}
}

int mem_cgroup_kill(struct mem_cgroup *memcg, unsigned int flags)
{
	struct doomed doomed = {NULL};
	struct mem_cgroup *killed;
	int err;

	if (flags & ~MEMCG_KILL_WIPE)
		return -EINVAL;
	err = memcg_begin_kill(memcg);
	if (err)
		return err;
	/* Who is to be freed there must still be there; by a shrinker, too. */
	kvfree_rcu_barrier();
	err = memcg_offline_subtree(memcg, kill_memcg, &doomed, &killed);
	if (err)
		return err;
	release_doomed(&doomed, flags);
	memcg_put_killed(killed);
	return 0;
}
