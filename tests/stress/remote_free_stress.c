/* SPDX-License-Identifier: MIT */
/*
 * Threads allocate in groups of their own and leave what they made in places
 * that all share; who puts something there frees what he finds. So nearly every
 * free is from elsewhere, often of a thread or a heap that has gone.
 */
#include "alloc/base/os.h"
#include "alloc/slab/heap.h"
#include "tests/stress/check.h"
#include "tests/stress/crew.h"
#include "tests/stress/deadline.h"
#include "tests/stress/parcel.h"
#include "tests/stress/quiet.h"

#define THREADS 4
#define PLACES	512
#define LIFE	4000
#define LIMIT	(2ul << 20)
#define LARGEST (160ul << 10)

static struct mem_cgroup *top, *groups[THREADS];
static struct parcel *places[PLACES];
static unsigned long refused, made;

static void exchange_one(struct random *random)
{
	struct parcel *parcel = parcel_make(random, LARGEST);

	__atomic_add_fetch(parcel ? &made : &refused, 1, __ATOMIC_RELAXED);
	parcel_free(parcel_swap(&places[random_below(random, PLACES)], parcel));
}

static void life(unsigned int place, struct random *random)
{
	set_active_memcg(groups[place]);
	for (int i = 0; i < LIFE; i++) {
		exchange_one(random);
		/* A thread may also end, or leave, with nothing of its own alive. */
		if (random_chance(random, 1000))
			set_active_memcg(groups[random_below(random, THREADS)]);
	}
}

static void free_all(void)
{
	parcels_free(places, PLACES);
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
	static const struct crew crews[] = {{THREADS, life}, {1, reap}, {0, NULL}};

	deadline_start(argc, argv);
	top = mem_cgroup_create(NULL, "top");
	for (int i = 0; i < THREADS; i++) {
		char name[] = {(char)('a' + i), '\0'};

		groups[i] = mem_cgroup_create(top, name);
		mem_cgroup_set_max(groups[i], LIMIT);
	}
	mem_cgroup_set_max(top, LIMIT * THREADS * 3 / 4);
	crew_run(crews, quiet_watch);

	crew_run_once(free_all);
	for (int i = 0; i < THREADS; i++) {
		CHECK(!mem_cgroup_rmdir(groups[i]), "rmdir of group %d", i);
		mem_cgroup_put(groups[i]);
	}
	quiet_verify(top);
	CHECK(mem_cgroup_usage(top) == 0, "%lu bytes", (unsigned long)mem_cgroup_usage(top));
	CHECK(!mem_cgroup_rmdir(top), "rmdir of top");
	mem_cgroup_put(top);
	quiet_end();
	printf("%lu made, %lu refused\n", made, refused);
	CHECK(refused && made > refused, "limits do not bite");
	return 0;
}
