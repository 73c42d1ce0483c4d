/* SPDX-License-Identifier: MIT */
#include "tests/stress/parcel.h"

#include "alloc/base/compiler.h"
#include "tests/stress/check.h"
#include "tests/stress/pattern.h"

static struct parcel *label(struct parcel *parcel, size_t size, struct kmem_cache *cache)
{
	if (!parcel)
		return NULL;
	parcel->size = (uint32_t)size;
	parcel->owner = pattern_owner();
	parcel->cache = cache;
	parcel->objcg = NULL;
	pattern_fill(parcel + 1, size - sizeof(*parcel), parcel->owner);
	return parcel;
}

struct parcel *parcel_make(struct random *random, size_t largest)
{
	size_t size = sizeof(struct parcel) + random_size(random, largest);

	return label(kmalloc(size, GFP_KERNEL), size, NULL);
}

struct parcel *parcel_make_from(struct kmem_cache *cache)
{
	return label(kmem_cache_alloc(cache, GFP_KERNEL), kmem_cache_size(cache), cache);
}

void parcel_charge(struct random *random, struct parcel *parcel, size_t most)
{
	parcel->objcg = get_obj_cgroup_from_current();
	parcel->charge = (uint32_t)random_size(random, most);
	if (obj_cgroup_charge(parcel->objcg, GFP_KERNEL, parcel->charge)) {
		obj_cgroup_put(parcel->objcg);
		parcel->objcg = NULL;
	}
}

static void check(const struct parcel *parcel)
{
	pattern_check(parcel + 1, parcel->size - sizeof(*parcel), parcel->owner);
}

struct parcel *parcel_resize(struct random *random, struct parcel *parcel, size_t largest)
{
	size_t size = sizeof(*parcel) + random_size(random, largest);
	struct parcel *resized;
	size_t kept;

	check(parcel);
	resized = krealloc(parcel, size, GFP_KERNEL);
	if (!resized)
		return parcel;
	kept = min_t(size_t, min_t(size_t, size, resized->size) - sizeof(*resized), PATTERN_DENSE);
	pattern_check(resized + 1, kept & ~7ul, resized->owner);
	resized->size = (uint32_t)size;
	pattern_fill(resized + 1, size - sizeof(*resized), resized->owner);
	return resized;
}

static void uncharge(struct parcel *parcel)
{
	check(parcel);
	if (parcel->objcg) {
		obj_cgroup_uncharge(parcel->objcg, parcel->charge);
		obj_cgroup_put(parcel->objcg);
	}
}

void parcel_free(struct parcel *parcel)
{
	if (!parcel)
		return;
	uncharge(parcel);
	if (parcel->cache)
		kmem_cache_free(parcel->cache, parcel);
	else
		kfree(parcel);
}

void parcel_free_rcu(struct parcel *parcel)
{
	uncharge(parcel);
	kfree_rcu(parcel, rcu);
}

void parcels_free(struct parcel **places, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		parcel_free(parcel_swap(&places[i], NULL));
}
