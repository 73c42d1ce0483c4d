/* SPDX-License-Identifier: MIT */
/*
 * Stops workers so that one of them can look at everything: wherever they are in their work, or
 * all at the end of a round.
 */
#ifndef BENCH_GATE_H
#define BENCH_GATE_H

#include <stdatomic.h>
#include <stdbool.h>

extern atomic_bool gate_closed;

/* Before the workers begin. */
void gate_init(unsigned workers);

void gate_wait(void);

/* Between any two steps of the work. */
static inline void gate_pass(void)
{
	if (atomic_load_explicit(&gate_closed, memory_order_relaxed))
		gate_wait();
}

/* Calls @look when all others have stopped, who then go on. By one worker only. */
void gate_stop_others(void (*look)(void *arg), void *arg);

/* All meet here. */
void gate_end_round(void);

#endif
