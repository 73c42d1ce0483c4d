/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "accounting/memcg_more.h"
#include "accounting/obj_stock.h"

static void stat_objcg(struct obj_cgroup *objcg, void *arg)
{
	struct mem_cgroup_stat *stat = arg;
	struct obj_stock_totals totals = {0};

	lock(objcg_lock(objcg));
	obj_cgroup_sum_stocks(objcg, &totals);
	unlock(objcg_lock(objcg));
	stat->object_bytes += (uint64_t)(objcg->counted_bytes + totals.manual);
	stat->span_bytes += (uint64_t)objcg->counted_span;
	stat->swap_bytes += (uint64_t)objcg->counted_swap;
	stat->swap_transit += (uint64_t)objcg->counted_transit;
	stat->objects += (uint64_t)objcg->counted_objects;
	stat->slab_bytes += (uint64_t)objcg->counted_slab;
	stat->waste_bytes += (uint64_t)(objcg->counted_slab - objcg->counted_bytes);
}

static void stat_swap(const struct mem_cgroup *memcg, struct mem_cgroup_stat *stat)
{
	const struct memcg_more *more = memcg_more_if_any(memcg);
	static const uint64_t none[NR_MEMCG_SWAP_COUNTS];
	const uint64_t *counts = more ? more->swap_counts : none;

	stat->zswap_bytes = mem_cgroup_zswap_usage(memcg);
	if (load_acquire(&memcg->online))
		stat->zswapped = (uint64_t)READ_ONCE(memcg->memory.record->zswapped);
	stat->pswpin = READ_ONCE(counts[MEMCG_PSWPIN]);
	stat->pswpout = READ_ONCE(counts[MEMCG_PSWPOUT]);
	stat->zswpin = READ_ONCE(counts[MEMCG_ZSWPIN]);
	stat->zswpout = READ_ONCE(counts[MEMCG_ZSWPOUT]);
	stat->zswpwb = READ_ONCE(counts[MEMCG_ZSWPWB]);
}

int mem_cgroup_stat(struct mem_cgroup *memcg, struct mem_cgroup_stat *stat)
{
	struct mem_cgroup *pos;
	uint64_t live;

	if (stat->size != sizeof(*stat))
		return -EINVAL;
	*stat = (struct mem_cgroup_stat){.size = sizeof(*stat)};
	lock(&cgroup_lock);
	memcg_ops.count_slabs();
	for_each_memcg (pos, memcg)
		memcg_for_each_objcg(pos, stat_objcg, stat);
	unlock(&cgroup_lock);
	stat->current = mem_cgroup_usage(memcg);
	live = stat->object_bytes + stat->span_bytes;
	stat_swap(memcg, stat);
	stat->stock_bytes = stat->current > live ? stat->current - live : 0;
	return 0;
}
