/* SPDX-License-Identifier: MIT */
/* obj_cgroup charges by the calling thread, through a stock of its own. */
#include <errno.h>

#include "alloc/slab/task.h"

/* A thousand times the memory of any machine. */
#define CHARGE_MAX (1ul << 52)

struct obj_cgroup *get_obj_cgroup_from_current(void)
{
	struct heap *heap = task_begin_heap();
	struct obj_cgroup *objcg = heap ? heap->stock.objcg : process_memcg->objcg;

	obj_cgroup_get(objcg);
	if (heap)
		task_end_heap(heap);
	return objcg;
}

int obj_cgroup_charge(struct obj_cgroup *objcg, gfp_t gfp, size_t size)
{
	struct obj_stock *stock = &current_heap->stock;

	if (unlikely(size > CHARGE_MAX)) /* beyond any limit, and any arithmetic */
		return -ENOMEM;
	if (unlikely(stock->objcg != objcg))
		stock = task_stock(objcg);
	if (unlikely(!stock))
		return obj_cgroup_charge_direct(objcg, gfp, size);
	if (unlikely(obj_stock_charge(stock, gfp, size)))
		return -ENOMEM;
	WRITE_ONCE(stock->manual, stock->manual + (int64_t)size);
	return 0;
}

void obj_cgroup_uncharge(struct obj_cgroup *objcg, size_t size)
{
	struct obj_stock *stock = &current_heap->stock;

	if (unlikely(stock->objcg != objcg))
		stock = task_stock(objcg);
	if (unlikely(!stock)) {
		obj_cgroup_uncharge_direct(objcg, size, true);
		return;
	}
	WRITE_ONCE(stock->manual, stock->manual - (int64_t)size);
	if (unlikely(obj_stock_credit(stock, size)))
		obj_stock_flush(stock);
}
