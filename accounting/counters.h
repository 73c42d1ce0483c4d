/* SPDX-License-Identifier: MIT */
/*
 * The counters of all groups, in a memfd that other processes can map.
 *
 * The file is one header followed by records of equal size. This header is the
 * format: version and sizes come first, and a reader that finds another
 * version keeps out. Numbers are live; each is read with one load. A reader
 * may write limits the same way, and ask for reclaim (control.h).
 *
 * A forked child gets a file of its own. Until it has, it must not touch a
 * record, so whoever changes one calls counters_own() before.
 */
#ifndef ACCOUNTING_COUNTERS_H
#define ACCOUNTING_COUNTERS_H

#include <cgslab/memcg.h>

#include "alloc/base/atomic.h"
#include "alloc/base/compiler.h"

#define COUNTERS_MAGIC	 0x62616c7367632121ull
#define COUNTERS_VERSION 3
/* So many bits hold the index of a record, and 1. */
#define COUNTERS_INDEX_BITS 22

#define COUNTERS_FILE	    "cgslab" /* /proc/PID/fd shows /memfd:cgslab (deleted) */

struct counters_header {
	uint64_t magic;
	uint32_t version;
	uint32_t header_size;
	uint32_t record_size;
	uint32_t nr_records; /* used or not; grows */
	int32_t pid;
	uint32_t page_size; /* bytes in a "page" of the records */
	char program[64];
	/* See control.h: go up with every request; the second is a futex. */
	uint32_t requests;
	uint32_t doorbell;
};

enum counters_state {
	COUNTERS_UNUSED,
	COUNTERS_ONLINE,
	COUNTERS_DYING, /* removed; references remain */
};

#define COUNTERS_NO_LIMIT (INT64_MAX >> 12) /* pages; "max" */

/* A page counter: pages, over the subtree. */
struct counters_level {
	int64_t usage;
	int64_t peak;
	int64_t max;
	int64_t high;
	int64_t peak_local; /* since a reader of its own began anew; see memcg_peak.c */
	int64_t failcnt;
};

/*
 * "Local": of the group alone, as opposed to its subtree. All fields are
 * atomic; they are changed where accounting/ says so.
 */
struct counters_record {
	struct counters_level memory, swap;
	int64_t min, low; /* of memory: pages */
	int64_t zswap;	  /* bytes of compressed swap, over the subtree */
	int64_t zswapped; /* bytes of swap that it is the content of, likewise */
	int64_t zswap_max;
	/* Local. As of the last time each thread settled its stock. */
	int64_t object_bytes;
	int64_t span_bytes;
	int64_t objects;
	int64_t slab_bytes;
	uint64_t events[NR_MEMCG_EVENTS]; /* over the subtree; enum memcg_event */
	uint64_t events_local[MEMCG_EVENT_SWAP_HIGH];
	/* Written before state becomes COUNTERS_ONLINE, with release. */
	uint64_t id;
	uint32_t parent; /* index of the parent's record; the root's is its own */
	uint32_t state;
	char name[MEMCG_NAME_MAX + 1];
	/* See control.h. */
	uint64_t request;
	uint64_t reply;
	/* Microseconds in which a thread of the subtree, or every one, was stalled. */
	uint64_t stall_some, stall_full;
};

/* Maps the file; falls back to private memory. Returns 0 or -ENOMEM. */
int counters_init(void);

/* A zeroed record, or NULL. It is invisible until its state is set. */
struct counters_record *counters_alloc(void);
void counters_free(struct counters_record *record);

uint32_t counters_index(const struct counters_record *record);

struct counters_header *counters_header(void);

/* A word that the kernel clears in a forked child. Const after counters_init(). */
extern uint32_t *counters_owned;

/* Gives back address space kept for more records; some is left. */
void counters_release_reserve(void);

/*
 * In the child of a fork: takes a file of its own, or private memory. -ENOMEM:
 * the parent's are still mapped, and may not be written to.
 */
int counters_fork_child(void);

/* Before a fork, after it, and when the child has taken what it needs. */
void counters_fork_prepare(void);
void counters_fork_done(void);
void counters_fork_over(void);

#endif
