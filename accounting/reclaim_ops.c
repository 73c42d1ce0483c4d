/* SPDX-License-Identifier: MIT */
#include "accounting/reclaim_ops.h"

#include "accounting/psi.h"

struct memcg_reclaim_ops reclaim_ops;

bool memcg_may_call_back(gfp_t gfp)
{
	return gfp & __GFP_DIRECT_RECLAIM && !rcu_read_ongoing();
}

bool memcg_may_reclaim(gfp_t gfp)
{
	return reclaim_ops.try_to_free && memcg_may_call_back(gfp);
}

int64_t memcg_reclaim(struct mem_cgroup *memcg, int64_t pages, gfp_t gfp,
		      struct mem_cgroup *stalled)
{
	struct psi_stall stall;
	int64_t freed;

	if (!stalled)
		return reclaim_ops.try_to_free(memcg, pages, gfp);
	psi_memstall_enter(stalled, &stall);
	freed = reclaim_ops.try_to_free(memcg, pages, gfp);
	psi_memstall_leave(&stall);
	return freed;
}
