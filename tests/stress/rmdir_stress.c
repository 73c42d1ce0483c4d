/* SPDX-License-Identifier: MIT */
/*
 * Groups come and go, two deep, while threads enter and leave them and others
 * walk the tree. What was allocated in them outlives them, objects, spans and
 * bytes charged by hand, and is freed by whoever comes across it.
 */
#include <errno.h>

#include "tests/stress/check.h"
#include "tests/stress/crew.h"
#include "tests/stress/deadline.h"
#include "tests/stress/parcel.h"
#include "tests/stress/pattern.h"
#include "tests/stress/quiet.h"

#define SLOTS	8
#define PLACES	300
#define LARGEST (100ul << 10)

static struct mem_cgroup *top;
static struct mem_cgroup *slots[SLOTS]; /* RCU; each with a reference */
static struct parcel *places[PLACES];
static unsigned long removed, entered;

static void exchange_one(struct random *random)
{
	struct parcel *parcel = parcel_make(random, LARGEST);

	if (parcel && random_chance(random, 4))
		parcel_charge(random, parcel, 100000);
	parcel_free(parcel_swap(&places[random_below(random, PLACES)], parcel));
}

/* ---- Groups ------------------------------------------------------------- */

/* A group from a slot, with a reference; NULL if there is none online. */
static struct mem_cgroup *get_group(struct random *random)
{
	struct mem_cgroup *memcg;

	rcu_read_lock();
	memcg = __atomic_load_n(&slots[random_below(random, SLOTS)], __ATOMIC_ACQUIRE);
	if (memcg && !mem_cgroup_tryget_online(memcg))
		memcg = NULL;
	rcu_read_unlock();
	return memcg;
}

static void live_inside(unsigned int place, struct random *random)
{
	(void)place;
	for (int i = 0; i < 300; i++) {
		struct mem_cgroup *memcg = get_group(random);

		if (!memcg)
			continue;
		errno = 0;
		set_active_memcg(memcg);
		CHECK(errno == 0 || errno == ENODEV, "errno %d", errno);
		CHECK((mem_cgroup_current() == memcg) == (errno == 0), "errno %d", errno);
		if (!errno)
			__atomic_add_fetch(&entered, 1, __ATOMIC_RELAXED);
		for (uint32_t n = random_below(random, 16); n; n--)
			exchange_one(random);
		set_active_memcg(NULL);
		mem_cgroup_put(memcg);
	}
}

/* Fills an empty slot with a new group, at times below another one. */
static void found(struct random *random, struct mem_cgroup **slot)
{
	struct mem_cgroup *parent = random_chance(random, 2) ? get_group(random) : NULL;
	struct mem_cgroup *memcg, *empty = NULL;
	char name[32];

	snprintf(name, sizeof(name), "g%lu", (unsigned long)pattern_owner());
	memcg = mem_cgroup_create(parent ? parent : top, name);
	CHECK(memcg || errno == ENODEV, "no group: errno %d", errno);
	mem_cgroup_put(parent);
	if (!memcg)
		return;
	if (random_chance(random, 2))
		mem_cgroup_set_max(memcg, random_below(random, 1 << 20));
	if (__atomic_compare_exchange_n(slot, &empty, memcg, false, __ATOMIC_RELEASE,
					__ATOMIC_RELAXED))
		return;
	CHECK(!mem_cgroup_rmdir(memcg), "rmdir of a group that nobody knows");
	mem_cgroup_put(memcg);
}

/* Whoever removes the group also empties the slot. */
static void raze(struct mem_cgroup **slot)
{
	struct mem_cgroup *memcg;
	int err;

	rcu_read_lock();
	memcg = __atomic_load_n(slot, __ATOMIC_ACQUIRE);
	if (memcg && !mem_cgroup_tryget_online(memcg))
		memcg = NULL;
	rcu_read_unlock();
	if (!memcg)
		return;
	err = mem_cgroup_rmdir(memcg);
	CHECK(!err || err == -EBUSY || err == -ENODEV, "rmdir: %d", err);
	if (!err) {
		__atomic_store_n(slot, NULL, __ATOMIC_RELEASE);
		__atomic_add_fetch(&removed, 1, __ATOMIC_RELAXED);
		mem_cgroup_put(memcg); /* the slot's */
	}
	mem_cgroup_put(memcg);
}

static void found_and_raze(unsigned int place, struct random *random)
{
	(void)place;
	for (int i = 0; i < 300; i++) {
		struct mem_cgroup **slot = &slots[random_below(random, SLOTS)];

		if (!__atomic_load_n(slot, __ATOMIC_RELAXED))
			found(random, slot);
		else
			raze(slot);
	}
}

/* ---- Looking on --------------------------------------------------------- */

static int look_at(struct mem_cgroup *memcg, void *arg)
{
	struct mem_cgroup_stat stat = {.size = sizeof(stat)};
	char text[512];

	(void)arg;
	CHECK(mem_cgroup_path(memcg, text, sizeof(text)) < sizeof(text), "path");
	CHECK(!mem_cgroup_stat(memcg, &stat), "stat");
	CHECK(mem_cgroup_read(memcg, "memory.events", text, sizeof(text)) > 0, "events");
	return 0;
}

static void look_on(void)
{
	mem_cgroup_walk(top, look_at, NULL);
	quiet_watch();
}

static void free_all(void)
{
	parcels_free(places, PLACES);
}

int main(int argc, char **argv)
{
	static const struct crew crews[] = {{3, live_inside}, {2, found_and_raze}, {0, NULL}};

	deadline_start(argc, argv);
	top = mem_cgroup_create(NULL, "top");
	crew_run(crews, look_on);

	for (int left = 1; left;) { /* children first, wherever they are */
		left = 0;
		for (int i = 0; i < SLOTS; i++) {
			raze(&slots[i]);
			left += slots[i] != NULL;
		}
	}
	quiet_verify(mem_cgroup_root());
	crew_run_once(free_all);
	CHECK(mem_cgroup_usage(top) == 0, "%lu bytes", (unsigned long)mem_cgroup_usage(top));
	CHECK(!mem_cgroup_rmdir(top), "rmdir of top");
	mem_cgroup_put(top);
	quiet_end();
	printf("%lu removed, %lu entered\n", removed, entered);
	return 0;
}
