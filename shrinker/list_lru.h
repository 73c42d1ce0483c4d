/* SPDX-License-Identifier: MIT */
/* What becomes of the lists of all list_lrus; docs/list_lru.md tells how. */
#ifndef SHRINKER_LIST_LRU_H
#define SHRINKER_LIST_LRU_H

#include <cgslab/list_lru.h>

/*
 * @memcg is leaving, but all its objects are charged to it still: what is on its
 * lists passes to its parent's, or is dropped if they are @killed. removal_lock. May
 * wait for callbacks that have a list locked.
 */
void list_lrus_reparent(struct mem_cgroup *memcg, bool killed);

/* For fork_ops. */
void list_lrus_fork_prepare(void);
void list_lrus_fork_done(void);

#endif
