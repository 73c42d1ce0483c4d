/* SPDX-License-Identifier: MIT */
#include "accounting/reclaim_ops.h"

struct memcg_reclaim_ops reclaim_ops;

bool memcg_may_reclaim(gfp_t gfp)
{
	return gfp & __GFP_DIRECT_RECLAIM && reclaim_ops.try_to_free && !rcu_read_ongoing();
}

int64_t memcg_reclaim(struct mem_cgroup *memcg, int64_t pages, gfp_t gfp,
		      struct mem_cgroup *stalled)
{
	(void)stalled;
	return reclaim_ops.try_to_free(memcg, pages, gfp);
}
