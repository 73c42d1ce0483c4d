/* SPDX-License-Identifier: MIT */
/* Walks over the shrinkers of a group, and how much of what they have is scanned. */
#ifndef SHRINKER_SHRINK_H
#define SHRINKER_SHRINK_H

#include "accounting/mem_cgroup.h"

#define SHRINK_WHOLE_SHARE 1024u

struct shrink_scope {
	struct mem_cgroup *memcg; /* the caller holds a reference */
	gfp_t gfp;
	int priority;	/* from 12, a 4096th of what there is, to 0, all */
	uint32_t share; /* of 1024: what protection leaves of the group's objects; 1024: all */

	/* Asked after each batch, if not NULL: whether the call may end, as it did its work. */
	bool (*is_enough)(struct shrink_scope *scope);
	bool enough; /* it said so */

	/* What the calls find is added here, and never taken back. */
	bool skipped;	     /* a shrinker was left out because @gfp has no __GFP_FS */
	unsigned long found; /* objects, protected ones too; 1 for each that is left alone */
};

/*
 * Calls the shrinkers that are memcg-aware and have their bit set in the group. No
 * lock is held, the thread is in no RCU read section. Returns how many
 * objects were freed.
 */
unsigned long shrink_slab_memcg(struct shrink_scope *scope);

/* Calls those that are not memcg-aware; scope->memcg is not used. */
unsigned long shrink_slab_global(struct shrink_scope *scope);

#endif
