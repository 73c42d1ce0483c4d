/* SPDX-License-Identifier: MIT */
#include <pthread.h>

#include "accounting/reclaim_ops.h"
#include "alloc/slab/fork.h"
#include "shrinker/list_lru.h"
#include "shrinker/reclaim.h"
#include "shrinker/reclaim_thread.h"
#include "shrinker/shrinker_info.h"
#include "shrinker/swap.h"

static void reparent(struct mem_cgroup *memcg, bool killed)
{
	list_lrus_reparent(memcg, killed);
	reparent_shrinker_deferred(memcg);
}

/* In the order of their ranks. */
static void fork_prepare(void)
{
	reclaim_thread_fork_prepare();
	shrinkers_fork_prepare();
	list_lrus_fork_prepare();
}

static void fork_done(void)
{
	list_lrus_fork_done();
	shrinkers_fork_done();
	reclaim_thread_fork_done();
}

static void fork_child(void)
{
	shrinkers_fork_child();
	reclaim_thread_lost();
}

/* After slab's, so that the child has its liburcu again. */
__attribute__((constructor(102))) static void shrinker_init(void)
{
	reclaim_init();
	swap_init();
	reclaim_ops.reparent = reparent;
	reclaim_ops.release = shrinker_info_release;
	reclaim_ops.shrink_lost = shrinker_info_recover;
	fork_ops.prepare = fork_prepare;
	fork_ops.done = fork_done;
	pthread_atfork(NULL, NULL, fork_child);
}
