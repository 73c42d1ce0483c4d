/* SPDX-License-Identifier: MIT */
/*
 * The word between those that free pages and a thread that purges them when
 * they have been idle for long enough. Who starts that thread is up to the
 * layer above; without it pages are purged when others are freed.
 *
 *          page_purger_want()          thread
 *     IDLE ----------------> WANTED ------------> RUNS
 *       ^                                          |
 *       +------------- nothing is dirty -----------+
 *
 * page_purger_stop() makes it ENDS from anywhere.
 */
#ifndef ALLOC_PAGES_PAGE_PURGER_H
#define ALLOC_PAGES_PAGE_PURGER_H

#include "alloc/base/atomic.h"
#include "alloc/base/compiler.h"

enum page_purger_state {
	PURGER_IDLE, /* it waits for work, or is not there */
	PURGER_WANTED,
	PURGER_RUNS,
	PURGER_ENDS,
};

extern uint32_t page_purger; /* atomic: enum page_purger_state */

/* Whether there is work that nobody does so far. */
static inline bool page_purger_is_wanted(void)
{
	return unlikely(READ_ONCE(page_purger) == PURGER_WANTED);
}

static inline bool page_purger_runs(void)
{
	return READ_ONCE(page_purger) == PURGER_RUNS;
}

static inline bool page_purger_rests(void)
{
	return READ_ONCE(page_purger) == PURGER_IDLE;
}

/* There is enough to purge. Any thread, with any locks. */
void page_purger_want(void);

/* Nothing is left to purge. The thread. */
void page_purger_rest(void);

/*
 * The life of the thread. Returns when page_purger_stop() was called, by
 * anybody; the thread is to end at once. @decay gives back idle pages that the
 * layer above keeps, and returns whether it keeps more.
 */
void page_purger_run(bool (*decay)(void));
void page_purger_stop(void);

/*
 * A process with threads has it made ready while it allocates: its frees may not
 * start a thread, and later it may neither allocate nor free. Any thread, with
 * any locks.
 */
void page_purger_prepare(void);

/* In the child of a fork: the thread is not there. */
void page_purger_lost(void);

#endif
