/* SPDX-License-Identifier: MIT */
/* What must hold once every object is freed and every group removed. */
#ifndef TESTS_STRESS_QUIET_H
#define TESTS_STRESS_QUIET_H

#include <cgslab/memcg.h>

/* Aborts unless usage = objects + spans + stocks + leftovers below @memcg, and swap usage = swap.
 */
void quiet_verify(struct mem_cgroup *memcg);

/* quiet_verify() of the root, with a short pause: for the thread that only watches. */
void quiet_watch(void);

/*
 * For the end, after all references of groups were put: nothing is charged to
 * anybody, no slab is left, no removed group is kept, the page runs are in
 * order.
 */
void quiet_end(void);

#endif
