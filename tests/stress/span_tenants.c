/* SPDX-License-Identifier: MIT */
#include "tests/stress/span_tenants.h"

#include <errno.h>

#include "alloc/base/os.h"
#include "alloc/base/rcu.h"
#include "tests/stress/bale_place.h"
#include "tests/stress/check.h"
#include "tests/stress/pattern.h"

#define TENANTS	  4
#define PLACES	  16
#define SURVIVORS 24

/*
 * lock for reading: for who uses bales; for writing: for who ends the tenant. The library
 * swaps and compacts without, so kill sees to that.
 */
struct tenant {
	pthread_rwlock_t lock;
	struct mem_cgroup *memcg, *child; /* lock; the child may be offline */
	struct place places[PLACES];
};

static struct mem_cgroup *top;
static struct tenant tenants[TENANTS];
static struct place survivors[SURVIVORS]; /* of top */

struct tenants_counts tenants_counts;

static struct mem_cgroup *any_group(struct random *random, struct tenant *tenant)
{
	return random_chance(random, 2) ? tenant->child : tenant->memcg;
}

/* By a thread in a group of the tenant; or in none, if the child was removed. */
static void use_some(struct random *random, struct tenant *tenant)
{
	for (uint32_t n = random_below(random, 20); n; n--) {
		struct place *place = any_place(random, tenant->places, PLACES);

		if (random_chance(random, 6))
			bale_put(place_exchange(place, bale_make(random, SPAN_LARGEST)));
		else
			place_use(random, place);
	}
}

/* A group that goes while others use what it has made. */
static void use_in_passing(struct random *random, struct tenant *tenant)
{
	struct mem_cgroup *memcg;
	char name[32];

	snprintf(name, sizeof(name), "p%lu", (unsigned long)pattern_owner());
	memcg = mem_cgroup_create(tenant->memcg, name);
	CHECK(memcg, "no group: errno %d", errno);
	set_active_memcg(memcg);
	use_some(random, tenant);
	set_active_memcg(NULL);
	CHECK(!mem_cgroup_rmdir(memcg), "rmdir");
	mem_cgroup_put(memcg);
}

static void use_tenant(struct random *random, struct tenant *tenant)
{
	if (random_chance(random, 4)) {
		use_in_passing(random, tenant);
		return;
	}
	set_active_memcg(any_group(random, tenant));
	use_some(random, tenant);
	set_active_memcg(NULL);
}

/* From one group of the tenant to the other. */
static void transfer_within(struct random *random, struct tenant *tenant)
{
	struct bale *bale = place_get(any_place(random, tenant->places, PLACES));

	if (bale)
		bale_transfer(bale, any_group(random, tenant));
	bale_put(bale);
}

/*
 * What the top has survives the tenant. Who has the bale still may be about to migrate it to a
 * span of the tenant's, which goes with that.
 */
static void transfer_out(struct random *random, struct tenant *tenant)
{
	struct place *place = any_place(random, tenant->places, PLACES);
	struct bale *bale = place_exchange(place, NULL);

	if (bale && bale_is_alone(bale) && bale_transfer(bale, top))
		place = any_place(random, survivors, SURVIVORS);
	bale_put(place_exchange(place, bale));
}

void tenants_use(unsigned int index, struct random *random)
{
	(void)index;
	for (int i = 0; i < 30; i++) {
		struct tenant *tenant = &tenants[random_below(random, TENANTS)];

		pthread_rwlock_rdlock(&tenant->lock);
		use_tenant(random, tenant);
		transfer_within(random, tenant);
		if (random_chance(random, 4))
			transfer_out(random, tenant);
		pthread_rwlock_unlock(&tenant->lock);
		set_active_memcg(top);
		place_use(random, any_place(random, survivors, SURVIVORS));
		set_active_memcg(NULL);
	}
}

/* ---- The end of tenants ----------------------------------------------------- */

static void limit(struct random *random, struct mem_cgroup *memcg)
{
	CHECK(!mem_cgroup_set_max(memcg, SPAN_LARGEST / 2 + random_below(random, 4 * SPAN_LARGEST)),
	      "max");
	if (random_chance(random, 3))
		mem_cgroup_set_high(memcg, SPAN_LARGEST + random_below(random, SPAN_LARGEST));
	if (random_chance(random, 3))
		mem_cgroup_set_swap_max(memcg, random_below(random, 8 * SPAN_LARGEST));
	if (random_chance(random, 3))
		mem_cgroup_set_zswap_max(memcg, random_below(random, SPAN_LARGEST));
}

static void found(struct random *random, struct tenant *tenant)
{
	char name[32];

	snprintf(name, sizeof(name), "t%lu", (unsigned long)pattern_owner());
	tenant->memcg = mem_cgroup_create(top, name);
	CHECK(tenant->memcg, "no group: errno %d", errno);
	tenant->child = mem_cgroup_create(tenant->memcg, "child");
	CHECK(tenant->child, "no group: errno %d", errno);
	limit(random, tenant->memcg);
	if (random_chance(random, 2))
		limit(random, tenant->child);
}

/* What was set when it was founded it has never passed. */
static void check_peaks(struct mem_cgroup *memcg)
{
	CHECK(mem_cgroup_peak(memcg) <= mem_cgroup_max(memcg), "'%s': %lu of %lu",
	      mem_cgroup_name(memcg), (unsigned long)mem_cgroup_peak(memcg),
	      (unsigned long)mem_cgroup_max(memcg));
	CHECK(mem_cgroup_swap_peak(memcg) <= mem_cgroup_swap_max(memcg), "'%s': %lu of %lu",
	      mem_cgroup_name(memcg), (unsigned long)mem_cgroup_swap_peak(memcg),
	      (unsigned long)mem_cgroup_swap_max(memcg));
}

static void forget(struct tenant *tenant)
{
	check_peaks(tenant->child);
	check_peaks(tenant->memcg);
	mem_cgroup_put(tenant->child);
	mem_cgroup_put(tenant->memcg);
}

static bool is_of(const struct bale *bale, const struct tenant *tenant)
{
	struct mem_cgroup *memcg;
	bool is;

	rcu_read_lock();
	memcg = bale_memcg(bale);
	is = memcg == tenant->memcg || memcg == tenant->child;
	rcu_read_unlock();
	return is;
}

/* What is charged to others, or to nobody, does not go with the group. */
static void put_others(struct tenant *tenant)
{
	for (int i = 0; i < PLACES; i++) {
		struct bale *bale = tenant->places[i].bale;

		if (!bale || is_of(bale, tenant))
			continue;
		tenant->places[i].bale = NULL;
		bale_put(bale);
	}
}

static void kill_tenant(struct random *random, struct tenant *tenant)
{
	int err;

	put_others(tenant);
	err = mem_cgroup_kill(tenant->memcg, random_chance(random, 2) ? MEMCG_KILL_WIPE : 0);
	CHECK(!err || err == -EBUSY, "kill: %d", err);
	if (err)
		return;
	for (int i = 0; i < PLACES; i++) {
		if (tenant->places[i].bale)
			bale_forget(tenant->places[i].bale);
		tenant->places[i].bale = NULL;
	}
	bale_count(&tenants_counts.killed);
	forget(tenant);
	found(random, tenant);
}

/* Its bales are the top's from then on. */
static void remove_tenant(struct random *random, struct tenant *tenant)
{
	mem_cgroup_rmdir(tenant->child);
	CHECK(!mem_cgroup_rmdir(tenant->memcg), "rmdir");
	for (int i = 0; i < PLACES; i++)
		bale_put(place_exchange(any_place(random, survivors, SURVIVORS),
					place_exchange(&tenant->places[i], NULL)));
	bale_count(&tenants_counts.removed);
	forget(tenant);
	found(random, tenant);
}

void tenants_end_and_found(unsigned int index, struct random *random)
{
	(void)index;
	for (int i = 0; i < 20; i++) {
		struct tenant *tenant = &tenants[random_below(random, TENANTS)];

		os_sleep_us(random_below(random, 20000));
		pthread_rwlock_wrlock(&tenant->lock);
		if (random_chance(random, 3))
			mem_cgroup_rmdir(tenant->child);
		if (random_chance(random, 2))
			remove_tenant(random, tenant);
		else
			kill_tenant(random, tenant);
		pthread_rwlock_unlock(&tenant->lock);
	}
}

/* ---- For others ------------------------------------------------------------- */

struct mem_cgroup *tenants_get(struct random *random)
{
	struct tenant *tenant = &tenants[random_below(random, TENANTS)];
	struct mem_cgroup *memcg;

	pthread_rwlock_rdlock(&tenant->lock);
	memcg = random_chance(random, 5) ? top : any_group(random, tenant);
	mem_cgroup_get(memcg);
	pthread_rwlock_unlock(&tenant->lock);
	return memcg;
}

/* ---- All of them ------------------------------------------------------------ */

void tenants_begin(void)
{
	pthread_rwlockattr_t attr;
	struct random random;

	random_seed(&random, 1);
	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	top = mem_cgroup_create(NULL, "top");
	CHECK(top, "no group");
	places_init(survivors, SURVIVORS);
	for (int i = 0; i < TENANTS; i++) {
		pthread_rwlock_init(&tenants[i].lock, &attr);
		places_init(tenants[i].places, PLACES);
		found(&random, &tenants[i]);
	}
}

void tenants_end(void)
{
	for (int i = 0; i < TENANTS; i++) {
		mem_cgroup_rmdir(tenants[i].child);
		CHECK(!mem_cgroup_rmdir(tenants[i].memcg), "rmdir");
		forget(&tenants[i]);
		places_check(tenants[i].places, PLACES);
		places_empty(tenants[i].places, PLACES);
	}
	places_check(survivors, SURVIVORS);
	places_empty(survivors, SURVIVORS);
	CHECK(!mem_cgroup_rmdir(top), "rmdir of top");
	mem_cgroup_put(top);
}

struct mem_cgroup *tenants_top(void)
{
	return top;
}
