/* SPDX-License-Identifier: MIT */
/*
 * What a fork may not come in between. It holds liburcu's locks when it waits for those who are
 * within, so they must be known to liburcu already.
 */
#include "alloc/base/rcu.h"
#include "alloc/slab/span.h"

#define GATE_CLOSED 0x80000000u

static uint32_t gate;		/* atomic, a futex: threads within, and whether it is closed */
static __thread uint32_t depth; /* how often this thread is within */

void span_gate_enter(void)
{
	uint32_t old = READ_ONCE(gate);

	if (depth++)
		return;
	lock_none_held("span_gate_enter()");
	rcu_take_in_thread();
	for (;;) {
		if (old & GATE_CLOSED) {
			os_futex_wait(&gate, old);
			old = READ_ONCE(gate);
		} else if (cmpxchg_acquire(&gate, &old,
					   old + 1)) { /* pairs with span_gate_open() */
			return;
		}
	}
}

void span_gate_leave(void)
{
	if (--depth)
		return;
	/* Pairs with span_gate_close(). */
	if (atomic_sub_acq_rel(&gate, 1) == GATE_CLOSED)
		os_futex_wake_all(&gate);
}

/* liburcu's lock of call_rcu_before_fork() lets one do this at a time. */
void span_gate_close(void)
{
	uint32_t word = __atomic_or_fetch(&gate, GATE_CLOSED, __ATOMIC_ACQ_REL);

	while (word != GATE_CLOSED) {
		os_futex_wait(&gate, word);
		word = load_acquire(&gate); /* pairs with span_gate_leave() */
	}
}

void span_gate_open(void)
{
	__atomic_and_fetch(&gate, ~GATE_CLOSED,
			   __ATOMIC_RELEASE); /* pairs with span_gate_enter() */
	os_futex_wake_all(&gate);
}
