/* SPDX-License-Identifier: MIT */
/* memory.reclaim: reclaim because somebody asks for it. */
#include <errno.h>

#include "accounting/mem_cgroup.h"
#include "accounting/memalloc.h"
#include "accounting/obj_stock.h"
#include "accounting/reclaim_ops.h"

/* Returns by how many pages usage fell. Nobody waits for them, so it is no stall. */
static int64_t reclaim_once(struct mem_cgroup *memcg, int64_t pages, gfp_t gfp)
{
	int64_t *usage = &memcg->memory.level->usage;
	int64_t before = READ_ONCE(*usage);

	memcg_drain_stocks(memcg);
	if (before - READ_ONCE(*usage) < pages && memcg_may_reclaim(gfp)) {
		reclaim_ops.try_to_free(memcg, pages, gfp);
		memcg_drain_stocks(memcg); /* what others have freed meanwhile */
	}
	return max_t(int64_t, before - READ_ONCE(*usage), 0);
}

int memcg_reclaim_pages(struct mem_cgroup *memcg, int64_t pages, gfp_t gfp)
{
	int useless = 0;

	while (pages > 0) {
		int64_t freed;

		if (!load_acquire(&memcg->online))
			return -ENODEV;
		freed = reclaim_once(memcg, pages, gfp);
		if (!freed && useless++ == RECLAIM_USELESS)
			return -EAGAIN;
		pages -= freed;
	}
	return 0;
}

int mem_cgroup_reclaim(struct mem_cgroup *memcg, uint64_t bytes)
{
	int64_t pages = (int64_t)min_t(uint64_t, bytes >> PAGE_SHIFT, COUNTERS_NO_LIMIT);

	counters_own();
	return memcg_reclaim_pages(memcg, pages, memalloc_gfp(GFP_KERNEL));
}
