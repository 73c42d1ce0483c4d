/* SPDX-License-Identifier: MIT */
/*
 * mem_cgroup_verify() and mem_cgroup_stat() of groups and of the whole tree,
 * while threads do everything that is charged: no verification may fail, and
 * none may hold anybody for long.
 */
#include <string.h>

#include <cgslab/slab.h>

#include "tests/stress/check.h"
#include "tests/stress/crew.h"
#include "tests/stress/deadline.h"
#include "tests/stress/pattern.h"
#include "tests/stress/quiet.h"

#define GROUPS	3
#define PLACES	200
#define LARGEST (200ul << 10)
#define LIMIT	(3ul << 20)

struct parcel {
	size_t size;
	uint64_t owner;
};

static struct mem_cgroup *groups[GROUPS];
static struct parcel *places[PLACES];
static unsigned long verified;

static void parcel_fill(struct parcel *parcel, size_t size)
{
	parcel->size = size;
	parcel->owner = pattern_owner();
	pattern_fill(parcel + 1, size - sizeof(*parcel), parcel->owner);
}

static void parcel_check(const struct parcel *parcel)
{
	pattern_check(parcel + 1, parcel->size - sizeof(*parcel), parcel->owner);
}

/* Another size for a block, whether it moves or not. */
static struct parcel *parcel_resize(struct random *random, struct parcel *parcel)
{
	size_t size = sizeof(*parcel) + random_size(random, LARGEST);
	struct parcel *resized;

	parcel_check(parcel);
	resized = krealloc(parcel, size, GFP_KERNEL);
	if (!resized) {
		parcel_check(parcel); /* as it was */
		return parcel;
	}
	parcel_fill(resized, size);
	return resized;
}

static void use_places(unsigned int place, struct random *random)
{
	(void)place;
	for (int i = 0; i < 2000; i++) {
		struct parcel **slot = &places[random_below(random, PLACES)];
		struct parcel *parcel = __atomic_exchange_n(slot, NULL, __ATOMIC_ACQ_REL);
		size_t size = sizeof(*parcel) + random_size(random, LARGEST);

		if (random_chance(random, 50))
			set_active_memcg(groups[random_below(random, GROUPS)]);
		if (parcel && random_chance(random, 2)) {
			parcel = parcel_resize(random, parcel);
		} else if (parcel) {
			parcel_check(parcel);
			kfree(parcel);
			parcel = NULL;
		} else {
			parcel = kmalloc(size, GFP_KERNEL);
			if (parcel)
				parcel_fill(parcel, size);
		}
		parcel = __atomic_exchange_n(slot, parcel, __ATOMIC_ACQ_REL);
		kfree(parcel);
	}
}

static void charge_by_hand(unsigned int place, struct random *random)
{
	struct obj_cgroup *objcg;

	set_active_memcg(groups[place % GROUPS]);
	objcg = get_obj_cgroup_from_current();
	for (int i = 0; i < 5000; i++) {
		size_t size = random_size(random, 300000);

		if (!obj_cgroup_charge(objcg, GFP_KERNEL, size))
			obj_cgroup_uncharge(objcg, size);
	}
	obj_cgroup_put(objcg);
}

static void verify_groups(unsigned int place, struct random *random)
{
	struct mem_cgroup_stat stat = {.size = sizeof(stat)};
	char text[512];

	(void)place;
	for (int i = 0; i < 20; i++) {
		struct mem_cgroup *memcg = groups[random_below(random, GROUPS)];

		quiet_verify(random_chance(random, 2) ? memcg : mem_cgroup_root());
		CHECK(!mem_cgroup_stat(memcg, &stat), "stat");
		CHECK(mem_cgroup_read(memcg, "memory.stat", text, sizeof(text)) > 0, "read");
		__atomic_add_fetch(&verified, 1, __ATOMIC_RELAXED);
	}
}

static void free_all(void)
{
	for (int i = 0; i < PLACES; i++)
		kfree(places[i]);
}

int main(int argc, char **argv)
{
	static const struct crew crews[] = {
		{3, use_places}, {2, charge_by_hand}, {2, verify_groups}, {0, NULL}};

	deadline_start(argc, argv);
	for (int i = 0; i < GROUPS; i++) {
		char name[] = {(char)('a' + i), '\0'};

		groups[i] = mem_cgroup_create(i ? groups[0] : NULL, name);
		mem_cgroup_set_max(groups[i], LIMIT);
	}
	crew_run(crews, NULL);
	crew_run_once(free_all);
	for (int i = GROUPS; i--;) {
		CHECK(!mem_cgroup_rmdir(groups[i]), "rmdir of group %d", i);
		mem_cgroup_put(groups[i]);
	}
	quiet_end();
	printf("%lu verifications\n", verified);
	return 0;
}
