/* SPDX-License-Identifier: MIT */
/*
 * What another process asks for, through the counters: that a group reclaims, that it
 * meets limits that were written there, or that huge pages become free. A request is one
 * word of the group's record, and so is the answer:
 *
 *	63      40 39              0
 *	+---------+----------------+	pages: 0: down to its limits, and no further
 *	| ticket  | pages or errno |	ticket: of who asks, not 0
 *	+---------+----------------+
 *
 *	who asks			a thread of this process
 *	--------			------------------------
 *	swaps ->request, from 0 pages	sees header->requests go up
 *	header->requests + 1		swaps each ->request with 0
 *	header->doorbell + 1, wakes	reclaims, or compacts
 *	waits for its ticket		stores ->reply
 *
 * The thread is the reclaim thread, where there is one, else whichever comes to the end
 * of a slow allocation first.
 */
#ifndef ACCOUNTING_CONTROL_H
#define ACCOUNTING_CONTROL_H

#include "accounting/counters.h"

#define CONTROL_TICKET_SHIFT 40
#define CONTROL_VALUE_MASK   ((1ull << CONTROL_TICKET_SHIFT) - 1)

/* As the number of pages. Compaction is asked of the root's record, and answered in pages. */
#define CONTROL_MEET_LIMITS 0
#define CONTROL_COMPACT	    CONTROL_VALUE_MASK
#define CONTROL_MOST_PAGES  (CONTROL_COMPACT - 1)

static inline uint64_t control_word(uint64_t ticket, uint64_t value)
{
	return ticket << CONTROL_TICKET_SHIFT | value;
}

/* ---- In the process itself ------------------------------------------------- */

extern uint32_t control_seen;

/* Whether somebody has asked for something since control_run() last looked. */
static inline bool control_pending(void)
{
	return READ_ONCE(counters_header()->requests) != READ_ONCE(control_seen);
}

/*
 * Does what was asked for. Nothing is held. Nothing is done where @gfp or the context
 * allows no reclaim, or while another thread is at it.
 */
void control_run(gfp_t gfp);

/* A futex, shared with others, that wakes who sleeps until there is a request. */
uint32_t *control_doorbell(void);

/* In the child of a fork: what was asked for was asked of the parent. */
void control_fork_child(void);

#endif
