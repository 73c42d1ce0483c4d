/* SPDX-License-Identifier: MIT */
/*
 * How the reclaim thread is woken: by a futex, or, while there are descriptors to
 * watch too, by a byte in a pipe.
 *
 *	the thread			whoever has work for it
 *	------------------------	------------------------
 *	seen = doorbell_read()		leave the work
 *	look for work			doorbell_ring():
 *	doorbell_wait(seen):		    bell += 1
 *	    waits = how			    wake, as waits says
 *	    sleep if bell == seen
 *
 * Either the bell is found changed, or the sleeper is seen.
 */
#ifndef SHRINKER_DOORBELL_H
#define SHRINKER_DOORBELL_H

#include <poll.h>

#include "alloc/base/atomic.h"
#include "alloc/base/compiler.h"

/*
 * The word to be the bell, before anything else: one that other processes see can be
 * rung by them, too, with a futex wake after it. They do not reach a thread in poll(), so
 * that looks at the bell once a second.
 */
void doorbell_init(uint32_t *word);

uint32_t doorbell_read(void);

/*
 * Sleeps until the bell is rung after @seen was read, one of the @n descriptors is
 * ready, or @timeout_ms are over (below 0: never). fds[n] is the pipe's: there
 * must be room for it. The thread.
 */
void doorbell_wait(uint32_t seen, struct pollfd *fds, int n, int timeout_ms);

/* Any thread, in any context. */
void doorbell_ring(void);

/* In the child of a fork: the pipe is the parent's. */
void doorbell_lost(void);

#endif
