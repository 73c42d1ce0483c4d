/* SPDX-License-Identifier: MIT */
/*
 * The reclaim thread, "cgslab-reclaim". It is started when somebody first needs it:
 *
 *	a group above its memory.high		reclaim_thread_high()
 *	an allocation that may not run the	reclaim_thread_ask()
 *	callbacks that could help it
 *	whoever watches the machine's memory	reclaim_thread_kick()
 *
 * and ends with the process. In between it sleeps, as long as no group is above its
 * high, nobody asks, and the machine has memory.
 */
#ifndef SHRINKER_RECLAIM_THREAD_H
#define SHRINKER_RECLAIM_THREAD_H

#include "accounting/mem_cgroup.h"

/*
 * Starts it if need be, and wakes it. Returns whether there is one. Where an
 * allocation may be, with nothing held.
 */
bool reclaim_thread_kick(void);

/* The usage of @memcg is above its high. Likewise; never sleeps. */
void reclaim_thread_high(struct mem_cgroup *memcg);

/*
 * Has it reclaim @pages of @memcg, and waits for that: for a tenth of a second at most,
 * and hardly at all while it is stuck in a callback that others have waited for in vain.
 * Returns by how many pages usage fell meanwhile; 1 if others have had what was freed.
 */
int64_t reclaim_thread_ask(struct mem_cgroup *memcg, int64_t pages);

/*
 * Another group was looked at: if the caller is the thread, it is not stuck; and if it has
 * @news, those who wait look again.
 */
void reclaim_thread_step(bool news);

/* fork. */
void reclaim_thread_fork_prepare(void);
void reclaim_thread_fork_done(void);
void reclaim_thread_lost(void); /* in the child, after that */

#endif
