/* SPDX-License-Identifier: MIT */
/*
 * What the program decides when nothing is left to reclaim: mem_cgroup_set_oom().
 */
#ifndef ACCOUNTING_OOM_H
#define ACCOUNTING_OOM_H

#include "accounting/mem_cgroup.h"

/* Of a group; in struct memcg_more. */
struct memcg_oom {
	uint32_t busy; /* atomic: held while the callback runs, or is changed */
	/* Those who hold ->busy: */
	mem_cgroup_oom_fn fn;
	void *arg;
	uint64_t runner; /* atomic: the thread that runs it; 0: none */

	bool group; /* atomic: memory.oom.group */
};

/* In the child of a fork: a callback of another thread has gone with it. */
void memcg_oom_fork_child(struct memcg_oom *oom);

/*
 * Asks the callback of the nearest group from @memcg, which is at its limit, upwards.
 * @current is charged. Waits while another thread is in that callback, for a second at
 * most; what that has freed is then tried first. The caller has references, holds no
 * lock, may reclaim with @gfp, and is in no read section. Without a callback:
 * MEMCG_OOM_REFUSE.
 */
enum mem_cgroup_oom_verdict memcg_oom(struct mem_cgroup *memcg, struct mem_cgroup *current,
				      uint64_t bytes, gfp_t gfp);

#endif
