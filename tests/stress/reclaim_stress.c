/* SPDX-License-Identifier: MIT */
/*
 * Threads fill caches of groups that have limits, in every kind of context, while others
 * change the limits, reclaim, want memory for the machine, and remove the groups. No
 * group gets past what it may, what is protected stays, and the books are right.
 */
#include <cgslab/shrinker.h>
#include <errno.h>
#include <pthread.h>

#include "alloc/slab/heap.h"
#include "shrinker/reclaim.h"
#include "tests/shrinker/hoard.h"
#include "tests/stress/check.h"
#include "tests/stress/crew.h"
#include "tests/stress/deadline.h"
#include "tests/stress/quiet.h"

#define GROUPS	 6
#define TOP_MB	 24
#define GROUP_MB 8

struct tenant {
	pthread_rwlock_t lock; /* whoever has it finds the group there */
	struct mem_cgroup *memcg;
	struct hoard *hoard;
};

static struct mem_cgroup *top;
static struct tenant tenants[GROUPS];
static unsigned long names, filled, refused, freed, removed;

static void count(unsigned long *counter, unsigned long n)
{
	__atomic_add_fetch(counter, n, __ATOMIC_RELAXED);
}

/* What the subtree may have: each callback may pass that a little, as nothing else helps it. */
static void check_limit(void)
{
	CHECK(mem_cgroup_usage(top) <= MB(TOP_MB) + MB(1), "usage %lu",
	      (unsigned long)mem_cgroup_usage(top));
}

static void make(struct tenant *tenant)
{
	char name[32];

	snprintf(name, sizeof(name), "t%lu", names++);
	tenant->memcg = mem_cgroup_create(top, name);
	CHECK(tenant->memcg, "no group: errno %d", errno);
	tenant->hoard = hoard_create(tenant->memcg);
}

static void destroy(struct tenant *tenant)
{
	int err;

	hoard_destroy(tenant->hoard);
	err = mem_cgroup_rmdir(tenant->memcg);
	CHECK(!err, "rmdir: %d", err);
	mem_cgroup_put(tenant->memcg);
}

static struct tenant *enter(struct random *random)
{
	struct tenant *tenant = &tenants[random_below(random, GROUPS)];

	pthread_rwlock_rdlock(&tenant->lock);
	return tenant;
}

static void leave(struct tenant *tenant)
{
	pthread_rwlock_unlock(&tenant->lock);
}

static gfp_t some_gfp(struct random *random)
{
	switch (random_below(random, 8)) {
	case 0:
		return GFP_NOWAIT;
	case 1:
		return GFP_NOFS;
	default:
		return GFP_KERNEL;
	}
}

static void fill(unsigned int place, struct random *random)
{
	(void)place;
	for (int n = 0; n < 30; n++) {
		struct tenant *tenant = enter(random);
		uint64_t bytes = random_size(random, MB(1));
		uint64_t got = hoard_fill(tenant->hoard, bytes, some_gfp(random));

		count(&filled, got);
		count(&refused, got < bytes);
		leave(tenant);
		check_limit();
	}
}

/* Some that nobody reclaims, for a moment. */
static void pin_some(unsigned int place, struct random *random)
{
	(void)place;
	for (int n = 0; n < 10; n++) {
		struct tenant *tenant = enter(random);
		struct pinned *pinned = NULL;

		pin(tenant->memcg, random_size(random, MB(2)), some_gfp(random), &pinned);
		unpin(&pinned);
		leave(tenant);
	}
}

/* Never below what others may have pinned: that would slow down the test itself. */
static void set_limits(struct mem_cgroup *memcg, struct random *random)
{
	uint64_t bytes = MB(3) + random_below(random, MB(GROUP_MB));

	switch (random_below(random, 6)) {
	case 0:
		mem_cgroup_set_high(memcg, bytes);
		break;
	case 1:
		mem_cgroup_set_max(memcg, bytes);
		break;
	case 2:
		mem_cgroup_set_low(memcg, bytes / 4);
		break;
	case 3:
		mem_cgroup_set_min(memcg, bytes / 16);
		break;
	case 4:
		mem_cgroup_set_high(memcg, MEMCG_MAX);
		break;
	default:
		mem_cgroup_set_max(memcg, MEMCG_MAX);
	}
}

static void reclaim(unsigned int place, struct random *random)
{
	(void)place;
	for (int n = 0; n < 20; n++) {
		struct tenant *tenant = enter(random);
		int64_t pages = (int64_t)random_size(random, 1000);
		int64_t got;

		if (random_chance(random, 20))
			got = reclaim_machine(pages);
		else if (random_chance(random, 2))
			got = try_to_free_mem_cgroup_pages(top, pages, some_gfp(random));
		else
			got = try_to_free_mem_cgroup_pages(tenant->memcg, pages, some_gfp(random));
		CHECK(got >= 0, "%ld pages", (long)got);
		count(&freed, (unsigned long)got);
		set_limits(tenant->memcg, random);
		leave(tenant);
	}
}

static void replace(unsigned int place, struct random *random)
{
	(void)place;
	for (int n = 0; n < 5; n++) {
		struct tenant *tenant = &tenants[random_below(random, GROUPS)];

		pthread_rwlock_wrlock(&tenant->lock);
		destroy(tenant);
		make(tenant);
		count(&removed, 1);
		pthread_rwlock_unlock(&tenant->lock);
	}
}

/* Alone: what is protected stays, whatever is asked for. */
static void check_min(void)
{
	struct tenant *tenant = &tenants[0];

	for (int i = 0; i < GROUPS; i++) {
		mem_cgroup_set_max(tenants[i].memcg, MEMCG_MAX);
		mem_cgroup_set_high(tenants[i].memcg, MEMCG_MAX);
		mem_cgroup_set_min(tenants[i].memcg, 0);
		mem_cgroup_set_low(tenants[i].memcg, 0);
	}
	hoard_fill(tenant->hoard, MB(4), GFP_KERNEL);
	mem_cgroup_set_min(tenant->memcg, MB(2));
	while (try_to_free_mem_cgroup_pages(top, 100000, GFP_KERNEL))
		;
	CHECK(mem_cgroup_usage(tenant->memcg) >= MB(2), "usage %lu",
	      (unsigned long)mem_cgroup_usage(tenant->memcg));
	CHECK(mem_cgroup_usage(top) <= MB(3), "usage %lu", (unsigned long)mem_cgroup_usage(top));
}

int main(int argc, char **argv)
{
	static const struct crew crews[] = {
		{3, fill}, {1, pin_some}, {2, reclaim}, {1, replace}, {0, NULL}};

	deadline_start(argc, argv);
	hoards_begin(0);
	top = mem_cgroup_create(NULL, "top");
	mem_cgroup_set_max(top, MB(TOP_MB));
	for (int i = 0; i < GROUPS; i++) {
		pthread_rwlock_init(&tenants[i].lock, NULL);
		make(&tenants[i]);
	}
	crew_run(crews, quiet_watch);

	check_min();
	for (int i = 0; i < GROUPS; i++)
		destroy(&tenants[i]);
	hoards_end();
	CHECK(mem_cgroup_usage(top) == 0, "usage %lu", (unsigned long)mem_cgroup_usage(top));
	CHECK(mem_cgroup_rmdir(top) == 0, "rmdir of the top");
	mem_cgroup_put(top);
	quiet_end();
	printf("%lu MiB filled, %lu pages freed, %lu refused, %lu groups removed\n", filled >> 20,
	       freed, refused, removed);
	return 0;
}
