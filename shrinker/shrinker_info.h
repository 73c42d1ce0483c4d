/* SPDX-License-Identifier: MIT */
/*
 * What a group knows of the shrinkers: for each that may have objects in it a
 * bit, and what was deferred. docs/shrinkers.md has the pictures.
 *
 * memcg->shrinker_info is NULL until the first bit is set. It points to a list of
 * units, each for SHRINKER_UNIT_IDS ids; only those are there in which a bit was
 * ever set. An info is never changed: to add a unit, one that has all the units of
 * the old and one more takes its place. Units stay where they are, so a bit that
 * is set or a count that is deferred meanwhile lands in the new info too.
 *
 * memcg->shrinker_units says which units have bits, so that walks need not look at the
 * others: those in which there were some once. It has a bit for each of the first 63
 * units; the last is for all from there on, and stays once it is set.
 *
 *   memcg->shrinker_info  RCU; changed by compare-and-swap
 *   an info		   a grace period after it was replaced
 *   a unit		   as long as the group has references, and a grace period
 */
#ifndef SHRINKER_SHRINKER_INFO_H
#define SHRINKER_SHRINKER_INFO_H

#include "accounting/mem_cgroup.h"
#include "shrinker/shrinker.h"

#define SHRINKER_UNIT_IDS 16

struct shrinker_info_unit {
	uint32_t map;	/* atomic; pairs of set_unit_bit() and clear_unit_bit() */
	uint32_t index; /* const: ids from index * SHRINKER_UNIT_IDS on */
	struct shrinker_slot slots[SHRINKER_UNIT_IDS];
};

/* All const once it is published. */
struct shrinker_info {
	struct rcu_head rcu; /* replaced, or the group is gone */
	uint32_t nr;
	struct {
		uint32_t index; /* rising */
		struct shrinker_info_unit *unit;
	} units[];
};

/*
 * The first unit of ids from @index * SHRINKER_UNIT_IDS on, or NULL. The caller
 * holds a reference of the group, which keeps the unit after the call.
 */
struct shrinker_info_unit *shrinker_info_next(struct mem_cgroup *memcg, uint32_t index);

/* The same, but one that may have bits. */
struct shrinker_info_unit *shrinker_info_next_set(struct mem_cgroup *memcg, uint32_t index);

/*
 * Memory for the bit of that id, so that set_shrinker_bit() needs none. Returns 0 or
 * -ENOMEM. Reference or RCU, as there.
 */
int shrinker_info_reserve(struct mem_cgroup *memcg, int shrinker_id);

/* @unit is of @memcg, and @offset below SHRINKER_UNIT_IDS. */
void set_unit_bit(struct mem_cgroup *memcg, struct shrinker_info_unit *unit, uint32_t offset);
void clear_unit_bit(struct mem_cgroup *memcg, struct shrinker_info_unit *unit, uint32_t offset);

/*
 * Objects of @body, which the caller holds, that are to be scanned next time: to be
 * added to @slot, which is the group's. If that is offline they are its parent's,
 * whoever comes first.
 */
void shrinker_defer(struct mem_cgroup *memcg, struct shrinker_slot *slot,
		    struct shrinker_body *body, unsigned long nr);

/*
 * @memcg is offline: what is deferred there passes to its parent, and the bits with
 * it. Takes no lock. The caller holds a reference.
 */
void reparent_shrinker_deferred(struct mem_cgroup *memcg);

/*
 * In the child of a fork: a thread was lost that may have cleared a bit, and not looked
 * again yet. All bits that the group has memory for are set.
 */
void shrinker_info_recover(struct mem_cgroup *memcg);

/* The last reference of the group is gone. */
void shrinker_info_release(struct mem_cgroup *memcg);

#endif
