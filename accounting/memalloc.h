/* SPDX-License-Identifier: MIT */
/*
 * What charges of the calling thread may do, and what they have met: scopes that the
 * program has opened, limits that were in the way. Of the thread alone.
 */
#ifndef ACCOUNTING_MEMALLOC_H
#define ACCOUNTING_MEMALLOC_H

#include "accounting/mem_cgroup.h"

#define MEMALLOC_NORECLAIM 1u /* charges go past limits, and reclaim nothing */
#define MEMALLOC_NOFS	   2u /* as if each gfp were without __GFP_FS */

struct memalloc {
	unsigned int flags;
	bool machine_high;  /* the root is above its high */
	uint64_t high_id;   /* a group that was found above its high; 0: none */
	int64_t high_owed;  /* pages that the thread has not slept for yet */
	int64_t high_pages; /* that the last such charge was for */
	int64_t overcharge; /* bytes that the innermost scope may go past limits */
	struct {
		uint64_t id, usage, limit, bytes;
	} refusal; /* the last; id 0: there was none */
};

extern __thread struct memalloc memalloc __attribute__((tls_model("initial-exec")));

static inline bool memalloc_is_noreclaim(void)
{
	return memalloc.flags & MEMALLOC_NORECLAIM;
}

/* What is left of @gfp in the thread's scopes. Source: current_gfp_context(). */
gfp_t memalloc_gfp(gfp_t gfp);

/* @pages were charged to @memcg, or below it, and it is above its high now. */
void memalloc_note_high(struct mem_cgroup *memcg, int64_t pages);

/* A charge of @bytes was refused at the limit of @memcg. */
void memalloc_note_refusal(const struct mem_cgroup *memcg, uint64_t bytes);

/* Whether memalloc_note_high() has been called since memcg_handle_high() was. */
static inline bool memalloc_is_high(void)
{
	return memalloc.high_id || memalloc.machine_high;
}

#endif
