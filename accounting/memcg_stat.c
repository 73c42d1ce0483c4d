/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "accounting/mem_cgroup.h"
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
	memcg_ops.count_slabs();
	for_each_memcg (pos, memcg)
		memcg_for_each_objcg(pos, stat_objcg, stat);
	unlock(&cgroup_lock);
	stat->current = mem_cgroup_usage(memcg);
	live = stat->object_bytes + stat->span_bytes;
	stat->stock_bytes = stat->current > live ? stat->current - live : 0;
	return 0;
}
