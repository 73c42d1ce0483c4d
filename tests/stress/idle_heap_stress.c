/* SPDX-License-Identifier: MIT */
/*
 * Heaps leave their groups while threads enter these and leave, free each
 * other's objects there, and remove the groups.
 */
#include <errno.h>

#include "alloc/slab/heap.h"
#include "tests/stress/check.h"
#include "tests/stress/crew.h"
#include "tests/stress/deadline.h"
#include "tests/stress/parcel.h"
#include "tests/stress/pattern.h"
#include "tests/stress/quiet.h"

#define GROUPS	12
#define PLACES	24
#define LARGEST 5000

static struct mem_cgroup *top;
static struct mem_cgroup *groups[GROUPS]; /* RCU; each with a reference */
static struct parcel *places[GROUPS][PLACES];
static unsigned long visits, looks, removed;

static struct mem_cgroup *get_group(unsigned int i)
{
	struct mem_cgroup *memcg;

	rcu_read_lock();
	memcg = __atomic_load_n(&groups[i], __ATOMIC_ACQUIRE);
	if (memcg && !mem_cgroup_tryget_online(memcg))
		memcg = NULL;
	rcu_read_unlock();
	return memcg;
}

/* Most visits leave the group as empty as they found it, so that its heaps may go. */
static void visit(unsigned int i, struct random *random)
{
	bool stays = random_chance(random, 3);

	for (uint32_t n = random_below(random, 12); n; n--) {
		struct parcel **place = &places[i][random_below(random, PLACES)];

		parcel_free(parcel_swap(place, stays ? parcel_make(random, LARGEST) : NULL));
	}
	if (!stays)
		parcel_free(parcel_make(random, LARGEST));
}

static void live_inside(unsigned int place, struct random *random)
{
	(void)place;
	for (int n = 0; n < 500; n++) {
		unsigned int i = random_below(random, GROUPS);
		struct mem_cgroup *memcg = get_group(i);

		errno = 0;
		set_active_memcg(memcg);
		CHECK(errno == 0 || errno == ENODEV, "errno %d", errno);
		CHECK(!memcg || (mem_cgroup_current() == memcg) == (errno == 0), "errno %d", errno);
		visit(i, random); /* from elsewhere, if there was none */
		set_active_memcg(NULL);
		if (memcg)
			mem_cgroup_put(memcg);
		__atomic_add_fetch(&visits, 1, __ATOMIC_RELAXED);
	}
}

/* One at a time, as the thread that does it is only one. */
static void look(unsigned int place, struct random *random)
{
	(void)place;
	for (int n = 0; n < 50; n++) {
		if (random_chance(random, 20))
			heaps_shrink();
		else if (random_chance(random, 4))
			heaps_give_idle(random_below(random, 8));
		else if (random_chance(random, 4))
			heaps_give_empty(random_below(random, 1 << 20));
		else
			heaps_retire_look();
		__atomic_add_fetch(&looks, 1, __ATOMIC_RELAXED);
	}
}

static void make(unsigned int i)
{
	struct mem_cgroup *memcg;
	char name[32];

	snprintf(name, sizeof(name), "g%lu", (unsigned long)pattern_owner());
	memcg = mem_cgroup_create(top, name);
	CHECK(memcg, "no group: errno %d", errno);
	__atomic_store_n(&groups[i], memcg, __ATOMIC_RELEASE);
}

/* Alone in changing groups[]. */
static void replace(unsigned int place, struct random *random)
{
	(void)place;
	for (int n = 0; n < 100; n++) {
		unsigned int i = random_below(random, GROUPS);
		struct mem_cgroup *old = groups[i];
		int err = mem_cgroup_rmdir(old);

		CHECK(!err || err == -EBUSY, "rmdir: %d", err);
		if (err)
			continue;
		make(i);
		mem_cgroup_put(old); /* nobody finds it any more */
		__atomic_add_fetch(&removed, 1, __ATOMIC_RELAXED);
	}
}

static void free_all(void)
{
	parcels_free(&places[0][0], GROUPS * PLACES);
}

static unsigned int count_heaps(const struct mem_cgroup *memcg)
{
	unsigned int n = 0;

	for (struct heap *heap = memcg_first_heap(memcg); heap; heap = heap->next)
		n++;
	return n;
}

int main(int argc, char **argv)
{
	static const struct crew crews[] = {{3, live_inside}, {1, look}, {1, replace}, {0, NULL}};

	deadline_start(argc, argv);
	top = mem_cgroup_create(NULL, "top");
	for (unsigned int i = 0; i < GROUPS; i++)
		make(i);
	crew_run(crews, quiet_watch);

	crew_run_once(free_all);
	while (heaps_retire_look())
		;
	for (unsigned int i = 0; i < GROUPS; i++) {
		CHECK(!count_heaps(groups[i]), "%u heaps are left", count_heaps(groups[i]));
		CHECK(!mem_cgroup_rmdir(groups[i]), "rmdir");
		mem_cgroup_put(groups[i]);
	}
	CHECK(mem_cgroup_usage(top) == 0, "%lu bytes", (unsigned long)mem_cgroup_usage(top));
	CHECK(!mem_cgroup_rmdir(top), "rmdir of top");
	mem_cgroup_put(top);
	quiet_end();
	printf("%lu visits, %lu looks, %lu removed\n", visits, looks, removed);
	return 0;
}
