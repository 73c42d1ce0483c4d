/* SPDX-License-Identifier: MIT */
/*
 * Blocks that threads leave for each other in places: each knows its size, whose
 * it is and where it came from, and its content is checked before it is freed.
 */
#ifndef TESTS_STRESS_PARCEL_H
#define TESTS_STRESS_PARCEL_H

#include <cgslab/memcg.h>
#include <cgslab/slab.h>

#include "alloc/base/rcu.h"
#include "tests/stress/random.h"

struct parcel {
	union {
		struct obj_cgroup *objcg; /* a reference, charged by hand; or NULL */
		struct rcu_head rcu;	  /* on its way through kfree_rcu() */
	};
	uint32_t size, charge;
	uint64_t owner;
	struct kmem_cache *cache; /* NULL: kmalloc's */
};

/* From kmalloc(), up to @largest bytes beyond the head; NULL if refused. */
struct parcel *parcel_make(struct random *random, size_t largest);

/* From @cache; its objects have room for more than the head. */
struct parcel *parcel_make_from(struct kmem_cache *cache);

/* Charges the group of the calling thread up to @most bytes more, or nothing. */
void parcel_charge(struct random *random, struct parcel *parcel, size_t most);

/* Another size, to or from any; the charge and the owner stay. Not from a cache. */
struct parcel *parcel_resize(struct random *random, struct parcel *parcel, size_t largest);

/* NULL is allowed. */
void parcel_free(struct parcel *parcel);

/* By kfree_rcu(). */
void parcel_free_rcu(struct parcel *parcel);

/* Puts @parcel, or nothing, there, and returns what was there. */
static inline struct parcel *parcel_swap(struct parcel **place, struct parcel *parcel)
{
	return __atomic_exchange_n(place, parcel, __ATOMIC_ACQ_REL);
}

/* Frees what is at @nr places. */
void parcels_free(struct parcel **places, size_t nr);

#endif
