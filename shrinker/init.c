/* SPDX-License-Identifier: MIT */
#include <pthread.h>

#include "accounting/reclaim_ops.h"
#include "shrinker/shrinker_info.h"

static void reparent(struct mem_cgroup *memcg, bool killed)
{
	(void)killed;
	reparent_shrinker_deferred(memcg);
}

/* After slab's, so that ours is prepared first: our locks come before theirs. */
__attribute__((constructor(102))) static void shrinker_init(void)
{
	reclaim_ops.reparent = reparent;
	reclaim_ops.release = shrinker_info_release;
	pthread_atfork(shrinkers_fork_prepare, shrinkers_fork_parent, shrinkers_fork_child);
}
