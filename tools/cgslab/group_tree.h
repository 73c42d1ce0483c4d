/* SPDX-License-Identifier: MIT */
/* The online groups of a process, as of one moment, more or less. */
#ifndef TOOLS_CGSLAB_GROUP_TREE_H
#define TOOLS_CGSLAB_GROUP_TREE_H

#include "tools/cgslab/process_counters.h"

/* All sizes in bytes. */
struct group {
	struct group *parent;			  /* NULL: the root */
	struct group *first_child, *next_sibling; /* by age */
	uint64_t id;
	char name[MEMCG_NAME_MAX + 1];

	/* As the page counter has them: of the subtree. */
	uint64_t current, peak, failcnt;
	uint64_t min, low, high, max; /* MEMCG_MAX: none */
	uint64_t events[NR_MEMCG_EVENTS];
	uint64_t events_local[MEMCG_EVENT_SWAP_HIGH];
	uint64_t stall_some, stall_full; /* microseconds */
	uint64_t swap, swap_peak, zswap, zswapped;
	uint64_t swap_high, swap_max, zswap_max; /* MEMCG_MAX: none */

	/* Of the subtree, summed up here. */
	int64_t object_bytes, span_bytes, slab_bytes, objects;
};

/* The root. Nothing of it is ever freed. */
struct group *group_tree_read(const struct process_counters *counters);

/* By path: "/python3/worker"; NULL if there is none. */
struct group *group_find(struct group *root, const char *path);

/*
 * The group that a command line names, or that of the process for NULL. Ends the command if
 * there is none.
 */
struct group *group_of_user(struct group *root, const char *path, int pid);

/* Its record. Ends the command if the group was removed meanwhile. */
struct counters_record *group_record(const struct process_counters *counters,
				     const struct group *root, const struct group *group);

/* The next one in pre-order; NULL after the last. */
struct group *group_next(const struct group *group);

unsigned int group_depth(const struct group *group);

/* "/" for the root. */
const char *group_name(const struct group *group);
void group_print_path(const struct group *group);

/* ---- What follows from the numbers -------------------------------------- */

/* Threads settle at different times, so a sum may be below 0 for a while. */
static inline uint64_t not_negative(int64_t n)
{
	return n > 0 ? (uint64_t)n : 0;
}

uint64_t group_live(const struct group *group);	 /* objects and spans */
uint64_t group_stock(const struct group *group); /* charged, in nobody's hands */
uint64_t group_waste(const struct group *group); /* slab pages without live objects */

#endif
