/* SPDX-License-Identifier: MIT */
/*
 * Reclaim: one walk over a subtree after the other, each with more pressure, until
 * enough is free. docs/reclaim.md has the picture.
 */
#ifndef SHRINKER_RECLAIM_H
#define SHRINKER_RECLAIM_H

#include "accounting/mem_cgroup.h"

/* The first of the walks asks shrinkers for a 4096th of what they have, the last for all. */
#define DEF_PRIORITY 12

/*
 * Makes usage of @memcg fall by @pages, as far as shrinkers of the subtree can. Returns by
 * how many it fell; if it did not, but objects were freed, 1.
 *
 * Without __GFP_DIRECT_RECLAIM in @gfp nothing happens. Without __GFP_FS only
 * shrinkers with SHRINKER_MALLOC_SAFE run in the calling thread; if that is not
 * enough, the reclaim thread runs the others, and is waited for for a tenth of a
 * second at most. In a callback, and under memalloc_noreclaim_save(), it does
 * nothing. No lock is held, and no RCU read section is under way.
 */
int64_t try_to_free_mem_cgroup_pages(struct mem_cgroup *memcg, int64_t pages, gfp_t gfp);

/* The same in the reclaim thread, where all shrinkers may run. */
int64_t reclaim_pages(struct mem_cgroup *memcg, int64_t pages);

/*
 * The machine is short of memory: gives back pages to the kernel, first those that
 * nobody uses, then what shrinkers of any group free. Returns by how many pages what the
 * process has fell.
 */
int64_t reclaim_machine(int64_t pages);

/* Whether the calling thread is within reclaim_machine(), or in reclaim of the root. */
bool reclaim_wants_spare_pages(void);

/* Sets reclaim_ops and the like; once, by a constructor. */
void reclaim_init(void);

#endif
