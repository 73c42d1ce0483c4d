/* SPDX-License-Identifier: MIT */
/*
 * Caches with a shrinker each, whose objects belong to groups; both come and go. Each
 * object is on the list of its group and cache, or has been scanned or taken out once.
 */
#ifndef TESTS_STRESS_SHRUNK_CACHES_H
#define TESTS_STRESS_SHRUNK_CACHES_H

#include <cgslab/shrinker.h>

#include "tests/stress/random.h"

void caches_make(void);

/* An online group with a reference, or NULL. */
struct mem_cgroup *caches_get_group(struct random *random);

/* Frees a cache, with all its objects, or makes one. */
void caches_change(struct random *random);

/* Removes a group, what it has passes to its parent; or makes one. */
void caches_change_group(struct random *random);

/* Adds some objects to a cache, takes some out. */
void caches_use(struct random *random);

/*
 * For the end: nothing happens any more. Checks that each list with objects has its
 * bit, has everything scanned, and that all were found; then frees and removes all.
 */
void caches_end(void);

/* How many objects were added, and how many of them scanned. */
void caches_print(void);

#endif
