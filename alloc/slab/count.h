/* SPDX-License-Identifier: MIT */
/* Counting what slabs really hold, beside what the accounting says. */
#ifndef ALLOC_SLAB_COUNT_H
#define ALLOC_SLAB_COUNT_H

#include "alloc/slab/slab.h"

/*
 * Sets the counted_ fields of every obj_cgroup from the slabs. Exact while
 * nothing changes. cgroup_lock.
 */
void slab_count_all(void);

/*
 * Sets right once what a fork cut in two: the heaps first, then, with the stocks
 * of all groups frozen, the charges. cgroup_lock.
 */
void slab_recover_fork(void);
void slab_settle_fork(void);

/* In the child of a fork: so many threads are gone that may have been at work. */
void slab_count_forked(uint32_t threads);

#endif
