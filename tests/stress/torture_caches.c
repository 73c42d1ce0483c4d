/* SPDX-License-Identifier: MIT */
#include "tests/stress/torture_caches.h"

#include <sched.h>

#include "tests/stress/check.h"

#define SLOTS	5
#define LARGEST 3000

/*
 * The uses, and whether more may come. Who brings them to CLOSED from above has
 * the slot for himself, until he opens it.
 */
#define CLOSED (1l << 62)

static struct cache_slot {
	long uses;		  /* atomic */
	struct kmem_cache *cache; /* const while open */
} slots[SLOTS];

static unsigned long destroyed; /* atomic */

static bool begin_use(struct cache_slot *slot)
{
	long uses = __atomic_load_n(&slot->uses, __ATOMIC_RELAXED);

	do {
		if (uses & CLOSED)
			return false;
	} while (!__atomic_compare_exchange_n(&slot->uses, &uses, uses + 1, false, __ATOMIC_ACQUIRE,
					      __ATOMIC_RELAXED));
	return true;
}

static void end_use(struct cache_slot *slot)
{
	__atomic_sub_fetch(&slot->uses, 1, __ATOMIC_RELEASE);
}

struct parcel *caches_make_parcel(struct random *random)
{
	struct cache_slot *slot = &slots[random_below(random, SLOTS)];
	struct parcel *parcel;

	if (!begin_use(slot))
		return NULL;
	parcel = parcel_make_from(slot->cache);
	if (!parcel)
		end_use(slot);
	return parcel;
}

static struct cache_slot *slot_of(const struct kmem_cache *cache)
{
	for (int i = 0; i < SLOTS; i++) /* those of others may be changing */
		if (__atomic_load_n(&slots[i].cache, __ATOMIC_RELAXED) == cache)
			return &slots[i];
	CHECK(false, "a parcel of a cache that is gone");
	return NULL;
}

void caches_end_use(const struct kmem_cache *cache)
{
	if (cache)
		end_use(slot_of(cache));
}

void caches_free_parcel(struct random *random, struct parcel *parcel)
{
	const struct kmem_cache *cache = parcel ? parcel->cache : NULL;

	if (parcel && random_chance(random, 8))
		parcel_free_rcu(parcel);
	else
		parcel_free(parcel);
	caches_end_use(cache);
}

/* Constructors may allocate. */
static void construct(void *object)
{
	(void)object;
	kfree(kmalloc(200, GFP_KERNEL));
}

static void open_cache(struct random *random, struct cache_slot *slot)
{
	unsigned int size = (unsigned int)(sizeof(struct parcel) + random_size(random, LARGEST));
	slab_flags_t flags = random_chance(random, 4) ? SLAB_TYPESAFE_BY_RCU : 0;
	struct kmem_cache *cache = kmem_cache_create("passing", size, 0, flags,
						     random_chance(random, 4) ? construct : NULL);

	CHECK(cache, "no cache");
	__atomic_store_n(&slot->cache, cache, __ATOMIC_RELAXED);
	__atomic_store_n(&slot->uses, 0, __ATOMIC_RELEASE);
}

static void destroy(struct cache_slot *slot)
{
	struct kmem_cache *cache = slot->cache;

	CHECK(!kmem_cache_destroy(cache), "a cache without objects is not destroyed");
	__atomic_store_n(&slot->cache, NULL, __ATOMIC_RELAXED);
	__atomic_add_fetch(&destroyed, 1, __ATOMIC_RELAXED);
}

/* Other parcels go back, and may be in the way of what came meanwhile. */
static void sweep(struct random *random, const struct kmem_cache *cache, struct parcel **place)
{
	struct parcel *parcel = parcel_swap(place, NULL);

	if (parcel && parcel->cache != cache)
		parcel = parcel_swap(place, parcel);
	caches_free_parcel(random, parcel);
}

static void close_cache(struct random *random, struct cache_slot *slot, struct parcel **places,
			size_t nr)
{
	/* Two may come to close it. */
	if (__atomic_fetch_or(&slot->uses, CLOSED, __ATOMIC_ACQ_REL) & CLOSED)
		return;
	while (__atomic_load_n(&slot->uses, __ATOMIC_ACQUIRE) != CLOSED) {
		for (size_t i = 0; i < nr; i++)
			sweep(random, slot->cache, &places[i]);
		sched_yield(); /* some are in the hands of others */
	}
	destroy(slot);
	open_cache(random, slot);
}

static void shrink(struct cache_slot *slot)
{
	if (!begin_use(slot))
		return;
	kmem_cache_shrink(slot->cache);
	end_use(slot);
}

void caches_change(struct random *random, struct parcel **places, size_t nr)
{
	struct cache_slot *slot = &slots[random_below(random, SLOTS)];

	if (random_chance(random, 4))
		close_cache(random, slot, places, nr);
	else
		shrink(slot);
}

void caches_begin(void)
{
	struct random random;

	random_seed(&random, destroyed);
	for (int i = 0; i < SLOTS; i++)
		open_cache(&random, &slots[i]);
}

void caches_end(void)
{
	for (int i = 0; i < SLOTS; i++) {
		CHECK(slots[i].uses == 0, "%ld parcels are left", slots[i].uses);
		destroy(&slots[i]);
	}
}

unsigned long caches_destroyed(void)
{
	return destroyed;
}
