/* SPDX-License-Identifier: MIT */
/*
 * What reclaim, in the layer above, does for accounting. Set once, by a constructor
 * of that layer. Without it a charge that meets a limit drains the stocks, and is
 * refused.
 */
#ifndef ACCOUNTING_RECLAIM_OPS_H
#define ACCOUNTING_RECLAIM_OPS_H

#include "accounting/mem_cgroup.h"

/* Each may be NULL. */
struct memcg_reclaim_ops {
	/*
	 * Frees what it can of the subtree, @pages if it gets there. Returns by how
	 * many pages usage fell, or how many objects were freed: > 0 is progress.
	 * Runs callbacks: no lock is held, and no read section of RCU is under way.
	 */
	int64_t (*try_to_free)(struct mem_cgroup *memcg, int64_t pages, gfp_t gfp);

	/*
	 * The usage of @memcg, to which the caller has a reference, is above its high:
	 * the reclaim thread shall see to it. Never sleeps; within a slow allocation
	 * with nothing held.
	 */
	void (*high_exceeded)(struct mem_cgroup *memcg);

	/*
	 * The root's usage is above its high, which whoever watches the machine keeps
	 * where that gets short of memory. Sleeps for 100 ms at most, and only if @gfp
	 * has __GFP_DIRECT_RECLAIM. Nothing is held.
	 */
	void (*machine_high)(gfp_t gfp);

	/*
	 * Moves spans so that whole huge pages go back to the kernel. Returns their bytes.
	 * Nothing is held.
	 */
	size_t (*compact)(void);

	/*
	 * @memcg is offline, and what is kept for it passes to the parent; children
	 * come before their parents. No lock is held, cgroup_lock neither; the caller
	 * has a reference. @killed: the objects that were on its lists are about to go.
	 */
	void (*reparent)(struct mem_cgroup *memcg, bool killed);

	/*
	 * In the child of a fork: a thread between memcg_shrink_begin() and _end() is
	 * lost. Nothing is held.
	 */
	void (*shrink_lost)(struct mem_cgroup *memcg);

	/* The last reference is gone; before the grace period that frees the struct. */
	void (*release)(struct mem_cgroup *memcg);
};

extern struct memcg_reclaim_ops reclaim_ops;

/*
 * Rounds of reclaim before it is given up: in a row without progress, and in all. At
 * least so many pages are asked for, as the walk costs the same.
 * Source: MAX_RECLAIM_RETRIES, SWAP_CLUSTER_MAX.
 */
#define RECLAIM_USELESS 16
#define RECLAIM_ROUNDS	128
#define RECLAIM_PAGES	32

/*
 * Whether callbacks may run, and whether there is reclaim to run them. @gfp: as
 * memalloc_gfp() has left it. Never in a read section: callbacks may wait for RCU.
 */
bool memcg_may_call_back(gfp_t gfp);
bool memcg_may_reclaim(gfp_t gfp);

/*
 * try_to_free() where memcg_may_reclaim(@gfp) holds. @stalled: the group, of which the
 * caller has a reference, that the thread is held up for; NULL: the thread is ours.
 */
int64_t memcg_reclaim(struct mem_cgroup *memcg, int64_t pages, gfp_t gfp,
		      struct mem_cgroup *stalled);

/*
 * Until usage has fallen by @pages: 0, or -EAGAIN if it does not, or -ENODEV if the
 * group was removed. Nothing is held.
 */
int memcg_reclaim_pages(struct mem_cgroup *memcg, int64_t pages, gfp_t gfp);

/*
 * Until usage is neither above max nor above high, or does not fall; nobody is held up
 * for it. For limits and protection that were written to the record. Nothing is held.
 */
void memcg_meet_limits(struct mem_cgroup *memcg, gfp_t gfp);

#endif
