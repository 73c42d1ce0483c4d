/* SPDX-License-Identifier: MIT */
/*
 * memory.high and memory.swap.high: what a thread does whose charge has found a group
 * above it.
 *
 * A charge notes the group (memalloc_note_high()), and goes on. When the allocation is
 * done, the object in hand, no lock held and no stock in between two states, its last
 * step is memcg_charge_done(): the event is counted, the reclaim thread told, and the
 * thread itself reclaims what it has charged. If that does not help it sleeps, for a
 * time that grows with the square of the overage. What another process has asked for is
 * done there, too.
 */
#ifndef ACCOUNTING_HIGH_H
#define ACCOUNTING_HIGH_H

#include "accounting/control.h"
#include "accounting/memalloc.h"

/* Whether malloc() and its like are throttled, too; else only what gives GFP_KERNEL. */
extern bool memcg_throttle_malloc;

/* The slow half; forgets the note. errno is kept. */
void memcg_handle_high(gfp_t gfp);

/* The last step of every slow allocation and charge. */
static inline void memcg_charge_done(gfp_t gfp)
{
	if (unlikely(memalloc_is_high()))
		memcg_handle_high(gfp);
	if (unlikely(control_pending()))
		control_run(gfp);
}

/* For tests: the milliseconds that one charge of @pages costs at such usage. */
int64_t memcg_high_delay(int64_t usage, int64_t high, int64_t pages);

#endif
