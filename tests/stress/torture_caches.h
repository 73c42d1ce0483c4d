/* SPDX-License-Identifier: MIT */
/*
 * Caches that come and go while threads of all groups use them. A parcel counts
 * as a use of its cache, and a cache is destroyed when it has none.
 */
#ifndef TESTS_STRESS_TORTURE_CACHES_H
#define TESTS_STRESS_TORTURE_CACHES_H

#include "tests/stress/parcel.h"

void caches_begin(void);

/* A parcel from any cache; NULL if refused, or if there is no cache just now. */
struct parcel *caches_make_parcel(struct random *random);

/* Frees any parcel, at times by RCU. NULL is allowed. */
void caches_free_parcel(struct random *random, struct parcel *parcel);

/* A parcel of @cache is gone in another way; NULL: it was of none. */
void caches_end_use(const struct kmem_cache *cache);

/*
 * Shrinks a cache, or destroys it, when all its parcels have been taken from the
 * places and freed, and makes another.
 */
void caches_change(struct random *random, struct parcel **places, size_t nr);

/* Destroys all of them; their parcels have been freed. */
void caches_end(void);

unsigned long caches_destroyed(void);

#endif
