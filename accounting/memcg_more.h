/* SPDX-License-Identifier: MIT */
/*
 * What most groups do without: it is made when a group first needs some of it, and
 * stays until the group's memory goes.
 */
#ifndef ACCOUNTING_MEMCG_MORE_H
#define ACCOUNTING_MEMCG_MORE_H

#include "accounting/mem_cgroup.h"
#include "accounting/oom.h"
#include "accounting/psi.h"

/* What comes and goes, in pages; as in memory.stat. */
enum memcg_swap_count {
	MEMCG_PSWPIN,  /* read from the file */
	MEMCG_PSWPOUT, /* written to it */
	MEMCG_ZSWPIN,  /* decompressed */
	MEMCG_ZSWPOUT, /* compressed */
	MEMCG_ZSWPWB,  /* compressed, and then written to the file */
	NR_MEMCG_SWAP_COUNTS
};

struct memcg_more {
	/* By ->list; cgroup_lock, and RCU for readers. */
	struct list_head listeners; /* see memcg_events.c */

	/* By ->list; cgroup_lock. */
	struct list_head peaks; /* see memcg_peak.c */

	struct psi_group psi;

	struct memcg_oom oom; /* see oom.c */
	int64_t reserve;      /* atomic: bytes; see reserve.c */

	uint64_t swap_counts[NR_MEMCG_SWAP_COUNTS]; /* atomic: over the subtree */
};

/*
 * That of the group, made if need be; NULL without memory. It belongs to the group:
 * whoever may use that may use it. Takes no lock but that of the metadata arena.
 */
struct memcg_more *memcg_more(struct mem_cgroup *memcg);

/* NULL if there was no need so far. */
static inline struct memcg_more *memcg_more_if_any(const struct mem_cgroup *memcg)
{
	return load_acquire(&memcg->more); /* pairs with memcg_more() */
}

/* The group's memory goes; nobody can look at it any more. */
void memcg_more_free(struct mem_cgroup *memcg);

/* In the child of a fork: those who listen and those who stall are the parent's. */
void memcg_more_fork_child(struct mem_cgroup *memcg);

/* Forgets them; nobody looks. See memcg_events.c. */
void memcg_drop_listeners(struct memcg_more *more);

#endif
