/* SPDX-License-Identifier: MIT */
/*
 * A cache of blocks of one group, and a reclaim that frees from it as the real one
 * does: in the context of callbacks.
 */
#ifndef TESTS_ACCOUNTING_PANTRY_H
#define TESTS_ACCOUNTING_PANTRY_H

#include <cgslab/memcg.h>

#define PANTRY_BLOCK (64ul << 10)
#define PANTRY_PAGES ((int64_t)(PANTRY_BLOCK >> 12))

/* Makes reclaim_ops.try_to_free free from the pantry. Not for several threads at once. */
void pantry_open(void);
void pantry_close(void);

/* Puts @nr blocks there, which are charged to @memcg. */
void pantry_fill(struct mem_cgroup *memcg, int nr);

/* Frees one, if there is any. */
bool pantry_take(void);

extern int pantry_blocks;		/* in it */
extern int pantry_calls;		/* of reclaim */
extern gfp_t pantry_gfp;		/* of the last call */
extern struct mem_cgroup *pantry_memcg; /* likewise */

/* What reclaim does instead, if it is set; within the context of callbacks. */
extern int64_t (*pantry_instead)(struct mem_cgroup *memcg, int64_t pages);

#endif
