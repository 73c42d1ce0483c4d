/* SPDX-License-Identifier: MIT */
/* Running the same function in several threads. */
#ifndef BENCH_THREADS_H
#define BENCH_THREADS_H

#include <stdint.h>

/* The body of thread `index`; its result goes into the sum. */
typedef uint64_t thread_body(unsigned index, void *arg);

/*
 * Creates `count` threads (at most WORKLOAD_MAX_THREADS), waits for all of them to end,
 * and returns the sum of their results. Threads are new each time.
 */
uint64_t threads_run(unsigned count, thread_body *body, void *arg);

#endif
