/* SPDX-License-Identifier: MIT */
/*
 * A group with room for little, whose threads sleep with stocks that the others
 * need. Usage may never pass the limit; and as the threads never ask for more
 * than there is room for, each allocation must succeed, if not at once: bytes
 * that were freed at the very moment may be missed.
 */
#include <time.h>

#include <cgslab/slab.h>

#include "accounting/obj_stock.h"
#include "tests/stress/check.h"
#include "tests/stress/crew.h"
#include "tests/stress/deadline.h"
#include "tests/stress/pattern.h"
#include "tests/stress/quiet.h"

#define THREADS 4
#define LIMIT	(1l << 20)
/* One page for each stock, and one for what the obj_cgroup has left over. */
#define BUDGET	(LIMIT - (THREADS + 1) * (long)PAGE_SIZE)
#define LARGEST (96ul << 10)
#define MINE	32
#define TRIES	200

static struct mem_cgroup *memcg;
static int64_t promised; /* bytes, atomic: never more than BUDGET */
static unsigned long refused, granted;

struct parcel {
	size_t size;
	uint64_t owner;
	int64_t bytes; /* what it is charged */
};

/* What kmalloc() will charge for @size, at most. */
static int64_t charge_of(size_t size)
{
	if (size > KMALLOC_MAX_CACHE_SIZE)
		return (int64_t)round_up_to(size, PAGE_SIZE);
	return (int64_t)max_t(size_t, size + size / 4, KMALLOC_MIN_SIZE) + KMALLOC_MIN_SIZE;
}

static bool promise(int64_t bytes)
{
	if (__atomic_add_fetch(&promised, bytes, __ATOMIC_ACQ_REL) <= BUDGET)
		return true;
	__atomic_sub_fetch(&promised, bytes, __ATOMIC_ACQ_REL);
	return false;
}

static struct parcel *parcel_make(struct random *random)
{
	size_t size = sizeof(struct parcel) + random_size(random, LARGEST);
	struct parcel *parcel;
	int tries = 0;

	if (!promise(charge_of(size)))
		return NULL;
	while (!(parcel = kmalloc(size, GFP_KERNEL))) {
		__atomic_add_fetch(&refused, 1, __ATOMIC_RELAXED);
		CHECK(++tries < TRIES, "%zu bytes refused at %lu of %ld", size,
		      (unsigned long)mem_cgroup_usage(memcg), LIMIT);
	}
	__atomic_add_fetch(&granted, 1, __ATOMIC_RELAXED);
	parcel->size = size;
	parcel->bytes = charge_of(size);
	parcel->owner = pattern_owner();
	pattern_fill(parcel + 1, size - sizeof(*parcel), parcel->owner);
	return parcel;
}

static void parcel_free(struct parcel *parcel)
{
	int64_t bytes;

	if (!parcel)
		return;
	pattern_check(parcel + 1, parcel->size - sizeof(*parcel), parcel->owner);
	bytes = parcel->bytes;
	kfree(parcel);
	__atomic_sub_fetch(&promised, bytes, __ATOMIC_ACQ_REL);
}

/* Long enough for the others to need what this thread keeps. */
static void nap(void)
{
	const struct timespec pause = {.tv_nsec = 2000000};

	nanosleep(&pause, NULL);
}

static void life(unsigned int place, struct random *random)
{
	struct parcel *mine[MINE] = {NULL};

	(void)place;
	set_active_memcg(memcg);
	for (int i = 0; i < 5000; i++) {
		struct parcel **slot = &mine[random_below(random, MINE)];

		parcel_free(*slot);
		*slot = parcel_make(random);
		CHECK(mem_cgroup_usage(memcg) <= LIMIT, "past the limit");
		if (random_chance(random, 1000)) {
			for (int j = 0; j < MINE; j += 2) {
				parcel_free(mine[j]);
				mine[j] = NULL;
			}
			nap();
		}
	}
	for (int i = 0; i < MINE; i++)
		parcel_free(mine[i]);
}

static void watch(void)
{
	CHECK(mem_cgroup_usage(memcg) <= LIMIT, "past the limit");
	quiet_watch();
}

int main(int argc, char **argv)
{
	static const struct crew crews[] = {{THREADS, life}, {0, NULL}};

	deadline_start(argc, argv);
	memcg = mem_cgroup_create(NULL, "narrow");
	mem_cgroup_set_max(memcg, LIMIT);
	crew_run(crews, watch);
	CHECK(mem_cgroup_peak(memcg) <= LIMIT, "past the limit");
	CHECK(!mem_cgroup_rmdir(memcg), "rmdir");
	mem_cgroup_put(memcg);
	quiet_end();
	printf("%lu granted, %lu refused for a moment\n", granted, refused);
	return 0;
}
