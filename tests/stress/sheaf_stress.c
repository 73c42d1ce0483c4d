/* SPDX-License-Identifier: MIT */
/*
 * Several threads are in each group and free what others of it made: so objects
 * are passed on between heaps all the time, to owners at work, parked, asleep or
 * gone. Threads end and change groups, groups are removed with objects alive,
 * and now and then all are counted.
 */
#include <errno.h>
#include <pthread.h>

#include "accounting/mem_cgroup.h"
#include "alloc/base/os.h"
#include "alloc/slab/heap.h"
#include "tests/stress/check.h"
#include "tests/stress/crew.h"
#include "tests/stress/deadline.h"
#include "tests/stress/parcel.h"
#include "tests/stress/pattern.h"
#include "tests/stress/quiet.h"

#define GROUPS	2
#define THREADS 5
#define PLACES	400
#define LARGEST 6000 /* some are too large to be passed on */
#define BOX	200

static struct mem_cgroup *top;
static pthread_mutex_t groups_lock = PTHREAD_MUTEX_INITIALIZER;
static struct mem_cgroup *groups[GROUPS]; /* each with a reference */
static struct parcel *places[GROUPS][PLACES];
static struct kmem_cache *boxes;
static unsigned long made, removed;

static struct parcel *make_one(struct random *random)
{
	struct parcel *parcel =
		random_chance(random, 8) ? parcel_make_from(boxes) : parcel_make(random, LARGEST);

	CHECK(parcel, "no memory");
	return parcel;
}

/* ---- Groups ------------------------------------------------------------- */

static struct mem_cgroup *get_group(unsigned int group)
{
	struct mem_cgroup *memcg;

	pthread_mutex_lock(&groups_lock);
	memcg = groups[group];
	mem_cgroup_get(memcg);
	pthread_mutex_unlock(&groups_lock);
	return memcg;
}

static struct mem_cgroup *make_group(void)
{
	struct mem_cgroup *memcg;
	char name[32];

	snprintf(name, sizeof(name), "g%lu", (unsigned long)pattern_owner());
	memcg = mem_cgroup_create(top, name);
	CHECK(memcg, "no group: errno %d", errno);
	return memcg;
}

/* If nobody is inside: objects of it stay where they are. */
static void replace_group(unsigned int group)
{
	struct mem_cgroup *memcg = get_group(group);
	int err = mem_cgroup_rmdir(memcg);

	CHECK(!err || err == -EBUSY || err == -ENODEV, "rmdir: %d", err);
	if (!err) {
		struct mem_cgroup *next = make_group();

		pthread_mutex_lock(&groups_lock);
		groups[group] = next;
		pthread_mutex_unlock(&groups_lock);
		mem_cgroup_put(memcg);
		__atomic_add_fetch(&removed, 1, __ATOMIC_RELAXED);
	}
	mem_cgroup_put(memcg);
}

/* False: the group is just being removed. */
static bool enter(unsigned int group)
{
	struct mem_cgroup *memcg = get_group(group);
	bool entered;

	set_active_memcg(memcg);
	entered = mem_cgroup_current() == memcg;
	mem_cgroup_put(memcg);
	return entered;
}

/* ---- Threads -------------------------------------------------------------- */

/* By turns only making, only freeing, and both. */
static void work(unsigned int group, struct random *random)
{
	uint32_t kind = random_below(random, 3);

	for (int i = 0; i < 500; i++) {
		struct parcel *parcel = kind == 0 ? NULL : make_one(random);
		uint32_t place = random_below(random, PLACES);

		parcel_free(parcel_swap(&places[group][place], parcel));
		__atomic_add_fetch(&made, 1, __ATOMIC_RELAXED);
	}
}

static void live(unsigned int place, struct random *random)
{
	for (int i = 0; i < 12; i++) {
		unsigned int group =
			random_chance(random, 8) ? random_below(random, GROUPS) : place % GROUPS;

		if (enter(group))
			work(group, random);
		if (random_chance(random, 4))
			set_active_memcg(NULL);
		if (random_chance(random, 4))
			replace_group(random_below(random, GROUPS));
	}
	/* Some end inside, where others leave. */
	if (random_chance(random, 2))
		set_active_memcg(NULL);
}

static int look_at(struct mem_cgroup *memcg, void *arg)
{
	struct mem_cgroup_stat stat = {.size = sizeof(stat)};

	(void)arg;
	CHECK(!mem_cgroup_stat(memcg, &stat), "stat");
	return 0;
}

static void look_on(void)
{
	mem_cgroup_walk(top, look_at, NULL);
	kmem_cache_shrink(boxes);
	quiet_watch();
}

static void free_all(void)
{
	for (unsigned int group = 0; group < GROUPS; group++) {
		CHECK(enter(group), "not entered");
		parcels_free(places[group], PLACES);
	}
	set_active_memcg(NULL);
}

/* Takes what was freed, before its owner does. */
static void reap(unsigned int place, struct random *random)
{
	(void)place;
	for (int i = 0; i < 20; i++) {
		heaps_reap();
		os_sleep_us(random_below(random, 200));
	}
}

int main(int argc, char **argv)
{
	static const struct crew crews[] = {{THREADS, live}, {1, reap}, {0, NULL}};

	deadline_start(argc, argv);
	top = mem_cgroup_create(NULL, "top");
	boxes = kmem_cache_create("boxes", BOX, 0, 0, NULL);
	for (unsigned int group = 0; group < GROUPS; group++)
		groups[group] = make_group();
	crew_run(crews, look_on);

	quiet_verify(mem_cgroup_root());
	crew_run_once(free_all);
	CHECK(!kmem_cache_destroy(boxes), "objects of a cache are left");
	for (unsigned int group = 0; group < GROUPS; group++) {
		CHECK(!mem_cgroup_rmdir(groups[group]), "rmdir");
		mem_cgroup_put(groups[group]);
	}
	quiet_verify(top);
	CHECK(mem_cgroup_usage(top) == 0, "%lu bytes", (unsigned long)mem_cgroup_usage(top));
	CHECK(!mem_cgroup_rmdir(top), "rmdir of top");
	mem_cgroup_put(top);
	quiet_end();
	printf("%lu made, %lu groups removed\n", made, removed);
	CHECK(removed, "no group was removed");
	return 0;
}
