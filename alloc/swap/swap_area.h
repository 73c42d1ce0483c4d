/* SPDX-License-Identifier: MIT */
/*
 * Where swap files are, and how much they may take.
 */
#ifndef ALLOC_SWAP_SWAP_AREA_H
#define ALLOC_SWAP_SWAP_AREA_H

#include "alloc/base/compiler.h"

/*
 * Where files are made from now on, and how many bytes of disk they may take.
 * NULL: nowhere, nothing is written any more. What is out stays where it is.
 * Returns 0 or -errno, with nothing changed.
 */
int swap_area_set(const char *directory, uint64_t max_bytes);

/* Whether there is a directory. */
bool swap_area_is_set(void);

/*
 * Freed room keeps its blocks for a while, as the next to be written: giving them back
 * costs more than a read from the page cache. A few megabytes; more, and a whole file
 * without a slot, if swap_decay_comes says that somebody will call swap_area_decay() again
 * and again.
 */

/* Gives the blocks of all spare room back. False: there was none. */
bool swap_area_trim(void);

/* Those that were spare since the last call. Returns whether others are left. */
bool swap_area_decay(void);

/* Set before there is an area. Called with swap_lock held. */
extern bool (*swap_decay_comes)(void);

/*
 * Copies what should leave shared files. For who has just written, and holds nothing
 * that others wait for: it may take long.
 */
void swap_area_tidy(void);

struct swap_area_stats {
	uint64_t slots;
	uint64_t bytes; /* of slots */
	uint64_t held;	/* of disk: slots, spare room, and what could not be given back */
	uint64_t spare;
	uint64_t moved; /* by swap_area_tidy(), so far */
	uint32_t files; /* open */
};

void swap_area_stats(struct swap_area_stats *stats);

/* In the order of swap_lock's rank; the child's, once it is alone. */
void swap_fork_prepare(void);
void swap_fork_parent(void);
void swap_fork_child(void);

#endif
