/* SPDX-License-Identifier: MIT */
/*
 * Threads go from group to group, nested and not, and allocate where they are.
 * Each block must be charged to the group its thread was in: at the end what
 * the groups have is compared with what was allocated.
 */
#include <cgslab/slab.h>

#include "alloc/slab/heap.h"
#include "tests/stress/check.h"
#include "tests/stress/crew.h"
#include "tests/stress/deadline.h"
#include "tests/stress/pattern.h"
#include "tests/stress/quiet.h"

#define THREADS 4
#define GROUPS	7
#define PLACES	400
#define LIFE	3000
#define LIMIT	(4ul << 20)
#define LARGEST (100ul << 10)

struct parcel {
	size_t size;
	uint64_t owner;
	unsigned int group;
};

static struct mem_cgroup *groups[GROUPS];
static struct parcel *places[PLACES];
static int64_t live[GROUPS]; /* bytes, atomic */

static void parcel_free(struct parcel *parcel)
{
	if (!parcel)
		return;
	pattern_check(parcel + 1, parcel->size - sizeof(*parcel), parcel->owner);
	__atomic_sub_fetch(&live[parcel->group], (int64_t)ksize(parcel), __ATOMIC_RELAXED);
	kfree(parcel);
}

/* In group number @group. */
static void exchange_one(struct random *random, unsigned int group)
{
	struct parcel **place = &places[random_below(random, PLACES)];
	size_t size = sizeof(struct parcel) + random_size(random, LARGEST);
	struct parcel *parcel = kmalloc(size, GFP_KERNEL);

	CHECK(mem_cgroup_current() == groups[group], "in another group");
	if (parcel) {
		__atomic_add_fetch(&live[group], (int64_t)ksize(parcel), __ATOMIC_RELAXED);
		parcel->size = size;
		parcel->group = group;
		parcel->owner = pattern_owner();
		pattern_fill(parcel + 1, size - sizeof(*parcel), parcel->owner);
	}
	parcel_free(__atomic_exchange_n(place, parcel, __ATOMIC_ACQ_REL));
}

/* Goes into groups within groups, and back the same way. */
static void visit(struct random *random, int depth)
{
	unsigned int group = random_below(random, GROUPS);
	struct mem_cgroup *old = set_active_memcg(groups[group]);

	for (uint32_t n = random_below(random, 8); n; n--)
		exchange_one(random, group);
	if (depth && random_chance(random, 2))
		visit(random, depth - 1);
	exchange_one(random, group);
	CHECK(set_active_memcg(old) == groups[group], "left another group than entered");
}

static void life(unsigned int place, struct random *random)
{
	(void)place;
	for (int i = 0; i < LIFE; i += 10)
		visit(random, 3);
	/* Many threads end inside a group. */
	if (random_chance(random, 2))
		set_active_memcg(groups[random_below(random, GROUPS)]);
}

static void check_group(unsigned int group)
{
	struct mem_cgroup_stat stat = {.size = sizeof(stat)};
	unsigned int heaps = 0;

	CHECK(!mem_cgroup_stat(groups[group], &stat), "stat");
	CHECK((int64_t)(stat.object_bytes + stat.span_bytes) == live[group],
	      "group %u has %lu bytes of objects and %lu of spans, not %ld", group,
	      (unsigned long)stat.object_bytes, (unsigned long)stat.span_bytes, (long)live[group]);
	for (struct heap *heap = memcg_first_heap(groups[group]); heap; heap = heap->next)
		heaps++;
	/* A thread owns one heap at a time, and may collect in another. */
	CHECK(heaps <= 2 * THREADS, "group %u has %u heaps", group, heaps);
}

static void free_all(void)
{
	for (int i = 0; i < PLACES; i++)
		parcel_free(places[i]);
}

int main(int argc, char **argv)
{
	static const struct crew crews[] = {{THREADS, life}, {0, NULL}};

	deadline_start(argc, argv);
	for (unsigned int i = 0; i < GROUPS; i++) {
		char name[] = {(char)('a' + i), '\0'};

		groups[i] = mem_cgroup_create(i % 3 ? groups[i - 1] : NULL, name);
		mem_cgroup_set_max(groups[i], LIMIT);
	}
	crew_run(crews, quiet_watch);
	quiet_verify(mem_cgroup_root());
	for (unsigned int i = GROUPS; i--;) {
		struct mem_cgroup *parent = mem_cgroup_parent(groups[i]);

		check_group(i);
		/* What the group had is the parent's then. */
		for (unsigned int j = 0; j < i; j++)
			if (groups[j] == parent)
				live[j] += live[i];
	}
	crew_run_once(free_all);
	for (unsigned int i = GROUPS; i--;) {
		CHECK(!mem_cgroup_rmdir(groups[i]), "rmdir of group %u", i);
		mem_cgroup_put(groups[i]);
	}
	quiet_end();
	return 0;
}
