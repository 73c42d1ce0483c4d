/* SPDX-License-Identifier: MIT */
/*
 * The child of a fork has the parent's stocks, as of the fork, but the parent
 * goes on writing to the shared counters. So the child takes a file of its own
 * and counts anew from its stocks, which it shares with nobody.
 */
#include <string.h>

#include "accounting/control.h"
#include "accounting/memcg_more.h"
#include "accounting/obj_cgroup.h"
#include "accounting/obj_stock.h"
#include "accounting/swap.h"
#include "alloc/base/message.h"

static void sum_charged(struct obj_cgroup *objcg, void *arg)
{
	int64_t *bytes = arg;
	struct obj_stock *stock;

	*bytes += objcg->nr_charged_bytes + objcg->live_base;
	list_for_each_entry (stock, &objcg->stocks, list)
		*bytes += stock->limit + stock->revoked;
}

static void sum_records(struct obj_cgroup *objcg, void *arg)
{
	struct counters_record *record = arg;

	record->object_bytes += objcg->published_bytes;
	record->objects += objcg->published_objects;
	record->slab_bytes += objcg->slab_bytes;
	record->span_bytes += objcg->published_spans;
}

/* What is charged to the group itself goes to it and all its ancestors. */
static void recount_one(struct mem_cgroup *memcg)
{
	struct counters_record *record = memcg->memory.record;
	int64_t bytes = 0;

	record->object_bytes = 0;
	record->objects = 0;
	record->slab_bytes = 0;
	record->span_bytes = 0;
	memcg_for_each_objcg(memcg, sum_records, record);
	memcg_for_each_objcg(memcg, sum_charged, &bytes);
	memcg_recount_swap(memcg);
	for (; memcg; memcg = memcg->parent)
		memcg->memory.level->usage += bytes >> PAGE_SHIFT;
}

bool mem_cgroup_fork_child(void)
{
	struct mem_cgroup *memcg;

	if (counters_fork_child())
		return false;
	for_each_memcg (memcg, &root_memcg) {
		memcg->memory.level->usage = 0;
		memcg->swap.level->usage = 0;
		memcg->memory.record->zswap = 0;
		memcg->memory.record->zswapped = 0;
		memcg_more_fork_child(memcg);
		page_counter_forget_protected_usage(&memcg->memory);
	}
	for_each_memcg (memcg, &root_memcg)
		recount_one(memcg);
	for_each_memcg (memcg, &root_memcg)
		propagate_protected_usage(&memcg->memory);
	psi_fork_child();
	control_fork_child();
	return true;
}

void counters_own_slow(void)
{
	if (!mem_cgroup_fork_child())
		die("no memory for the counters of a forked process");
}
