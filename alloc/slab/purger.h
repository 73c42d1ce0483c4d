/* SPDX-License-Identifier: MIT */
/*
 * The thread that gives idle pages back while the program does nothing, and idle
 * heaps. It is there only in a process that once had some megabytes of them, or
 * some dozen heaps, and is asleep while there are none. It has no task.
 */
#ifndef ALLOC_SLAB_PURGER_H
#define ALLOC_SLAB_PURGER_H

#include "alloc/pages/page_purger.h"

/* Allows it. At the start, once; without this there is none. */
void purger_enable(void);

/* The slow half of the two below. */
void purger_start(void);

/* No lock is held, and the caller is within an allocation. */
static inline void purger_start_in_alloc(void)
{
	if (page_purger_is_wanted())
		purger_start();
}

/*
 * The same within a free. Only while the process has a single thread: the C
 * library frees with locks held that it takes to start a thread, but for
 * threads that have ended.
 */
void purger_start_in_free(void);

/* In the child of a fork. */
void purger_lost(void);

#endif
