/* SPDX-License-Identifier: MIT */
/* obj_cgroup charges by the calling thread, through a stock of its own. */
#include <errno.h>

#include "accounting/high.h"
#include "alloc/slab/task.h"

struct obj_cgroup *get_obj_cgroup_from_current(void)
{
	struct heap *heap = task_begin_heap();
	struct obj_cgroup *objcg = heap ? heap->stock.objcg : process_memcg->objcg;

	obj_cgroup_get(objcg);
	if (heap)
		task_end_heap(heap);
	return objcg;
}

static void note_manual(struct obj_stock *stock, int64_t size)
{
	WRITE_ONCE(stock->manual, stock->manual + size);
}

noinline int obj_cgroup_charge_slow(struct obj_cgroup *objcg, gfp_t gfp, size_t size)
{
	struct obj_stock *stock;
	int err;

	if (size > CGSLAB_CHARGE_MAX) /* beyond any limit, and any arithmetic */
		return -ENOMEM;
	stock = task_stock(objcg);
	err = stock ? obj_stock_charge(stock, gfp, size)
		    : obj_cgroup_charge_direct(objcg, gfp, size);
	if (stock && !err)
		note_manual(stock, (int64_t)size);
	memcg_charge_done(gfp);
	return err;
}

int obj_cgroup_charge(struct obj_cgroup *objcg, gfp_t gfp, size_t size)
{
	return obj_cgroup_charge_inline(objcg, gfp, size);
}

noinline void obj_cgroup_uncharge_slow(struct obj_cgroup *objcg, size_t size)
{
	struct obj_stock *stock = task_stock(objcg);

	if (!stock) {
		obj_cgroup_uncharge_direct(objcg, size, true);
		return;
	}
	note_manual(stock, -(int64_t)size);
	if (obj_stock_credit(stock, size))
		obj_stock_flush(stock);
}

void obj_cgroup_uncharge(struct obj_cgroup *objcg, size_t size)
{
	obj_cgroup_uncharge_inline(objcg, size);
}
