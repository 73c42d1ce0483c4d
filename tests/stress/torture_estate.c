/* SPDX-License-Identifier: MIT */
#include "tests/stress/torture_estate.h"

#include <errno.h>

#include "tests/stress/check.h"
#include "tests/stress/parcel.h"
#include "tests/stress/pattern.h"
#include "tests/stress/torture_caches.h"
#include "tests/stress/torture_tree.h"

#define GROUPS	5
#define PARCELS 60
#define LARGEST (200ul << 10)

struct estate {
	struct mem_cgroup *groups[GROUPS]; /* each with a reference; the first above all */
	unsigned int nr;
	struct parcel *parcels[PARCELS];
	/* What was charged by hand is not killed. */
	struct obj_cgroup *objcg;
	size_t charge;
};

static unsigned long killed; /* atomic */

static struct mem_cgroup *make_group(struct mem_cgroup *parent)
{
	struct mem_cgroup *memcg;
	char name[32];

	snprintf(name, sizeof(name), "e%lu", (unsigned long)pattern_owner());
	memcg = mem_cgroup_create(parent, name);
	CHECK(memcg || errno == ENODEV, "no group: errno %d", errno);
	return memcg;
}

static bool found(struct random *random, struct estate *estate)
{
	struct mem_cgroup *parent = tree_get(random);
	uint32_t nr = 1 + random_below(random, GROUPS);

	estate->groups[0] = make_group(parent ? parent : tree_top());
	mem_cgroup_put(parent);
	if (!estate->groups[0])
		return false;
	for (estate->nr = 1; estate->nr < nr; estate->nr++) {
		parent = estate->groups[random_below(random, estate->nr)];
		estate->groups[estate->nr] = make_group(parent);
		CHECK(estate->groups[estate->nr], "nobody else removes its parent");
	}
	return true;
}

static struct mem_cgroup *any_group(struct random *random, struct estate *estate)
{
	return estate->groups[random_below(random, estate->nr)];
}

static void fill(struct random *random, struct estate *estate)
{
	for (int i = 0; i < PARCELS; i++) {
		if (i % 8 == 0)
			set_active_memcg(any_group(random, estate));
		estate->parcels[i] = random_chance(random, 3) ? caches_make_parcel(random)
							      : parcel_make(random, LARGEST);
	}
	estate->objcg = get_obj_cgroup_from_current();
	estate->charge = random_size(random, 50000);
	if (obj_cgroup_charge(estate->objcg, GFP_KERNEL, estate->charge))
		estate->charge = 0;
}

/* By heaps that own the objects, by others of their group, and from outside. */
static void free_some(struct random *random, struct estate *estate)
{
	for (int i = 0; i < PARCELS; i++) {
		if (i % 16 == 0)
			set_active_memcg(random_chance(random, 2) ? NULL
								  : any_group(random, estate));
		if (!random_chance(random, 3))
			continue;
		caches_free_parcel(random, estate->parcels[i]);
		estate->parcels[i] = NULL;
	}
}

/* Some objects are in slabs without an owner then. */
static void raze_some(struct random *random, struct estate *estate)
{
	for (unsigned int i = estate->nr - 1; i > 0; i--) {
		int err = random_chance(random, 3) ? mem_cgroup_rmdir(estate->groups[i]) : 0;

		CHECK(!err || err == -EBUSY, "rmdir: %d", err);
	}
}

static void fall(struct random *random, struct estate *estate)
{
	int err =
		mem_cgroup_kill(estate->groups[0], random_chance(random, 2) ? MEMCG_KILL_WIPE : 0);

	CHECK(!err, "kill: %d", err);
	if (estate->charge)
		obj_cgroup_uncharge(estate->objcg, estate->charge);
	obj_cgroup_put(estate->objcg);
	while (estate->nr)
		mem_cgroup_put(estate->groups[--estate->nr]);
	__atomic_add_fetch(&killed, 1, __ATOMIC_RELAXED);
}

void estate_rise_and_fall(struct random *random)
{
	struct estate estate = {.nr = 0};
	struct kmem_cache *caches[PARCELS];

	if (!found(random, &estate))
		return;
	fill(random, &estate);
	free_some(random, &estate);
	raze_some(random, &estate);
	set_active_memcg(NULL);
	for (int i = 0; i < PARCELS; i++)
		caches[i] = estate.parcels[i] ? estate.parcels[i]->cache : NULL;
	fall(random, &estate);
	for (int i = 0; i < PARCELS; i++)
		caches_end_use(caches[i]);
}

unsigned long estates_killed(void)
{
	return killed;
}
