/* SPDX-License-Identifier: MIT */
/*
 * Tenants are killed, or removed, with all they have, and founded anew, while
 * threads work in them, free each other's parcels and move parcels from one tenant
 * to another; and while some work elsewhere, without a lock, and one counts.
 *
 * Who touches a parcel of a tenant holds the tenant's lock for reading, who ends
 * the tenant holds it for writing: that is what mem_cgroup_kill() asks for.
 */
#include <errno.h>
#include <pthread.h>

#include <cgslab/slab.h>

#include "alloc/base/rcu.h"
#include "alloc/slab/debug.h"
#include "tests/stress/check.h"
#include "tests/stress/crew.h"
#include "tests/stress/deadline.h"
#include "tests/stress/parcel.h"
#include "tests/stress/pattern.h"
#include "tests/stress/quiet.h"

#define TENANTS 6
#define PLACES	60
#define LARGEST (100ul << 10)
#define FIGURES 20
#define MARK	0x0123456789abcdeful

/* Of a SLAB_TYPESAFE_BY_RCU cache: read by who knows nothing of tenants. */
struct figure {
	uint64_t mark;
	char rest[200];
};

struct tenant {
	pthread_rwlock_t lock;
	struct mem_cgroup *memcg, *child; /* lock; the child may be offline */
	struct parcel *places[PLACES];	  /* lock for reading: swapped */
	struct figure *figures[FIGURES];  /* likewise; and RCU */
};

static struct mem_cgroup *top, *elsewhere;
static struct tenant tenants[TENANTS];
static struct parcel *others[PLACES];	 /* nobody kills their group */
static struct parcel *survivors[PLACES]; /* of groups that were removed */
static struct kmem_cache *parcel_cache, *figure_cache;
static unsigned long killed, removed, moved, refused;

static void count(unsigned long *what)
{
	__atomic_add_fetch(what, 1, __ATOMIC_RELAXED);
}

/* ---- Work in tenants ------------------------------------------------------------- */

static struct parcel *make_parcel(struct random *random)
{
	if (random_chance(random, 3))
		return parcel_make_from(parcel_cache);
	return parcel_make(random, LARGEST);
}

static struct parcel **any_place(struct random *random, struct parcel **places)
{
	return &places[random_below(random, PLACES)];
}

static void free_one(struct random *random, struct parcel *parcel)
{
	if (parcel && !parcel->cache && random_chance(random, 4))
		parcel_free_rcu(parcel);
	else
		parcel_free(parcel);
}

static void exchange(struct random *random, struct parcel **places)
{
	struct parcel **place = any_place(random, places);
	struct parcel *parcel = make_parcel(random);

	free_one(random, parcel_swap(place, parcel));
	if (random_chance(random, 8)) {
		parcel = parcel_swap(place, NULL);
		if (parcel && !parcel->cache)
			parcel = parcel_resize(random, parcel, LARGEST);
		free_one(random, parcel_swap(place, parcel));
	}
}

static void construct(void *object)
{
	struct figure *figure = object;

	__atomic_store_n(&figure->mark, MARK, __ATOMIC_RELAXED);
}

static void exchange_figure(struct random *random, struct tenant *tenant)
{
	struct figure **place = &tenant->figures[random_below(random, FIGURES)];
	struct figure *figure = kmem_cache_alloc(figure_cache, GFP_KERNEL);

	figure = __atomic_exchange_n(place, figure, __ATOMIC_ACQ_REL);
	if (figure)
		kmem_cache_free(figure_cache, figure);
}

/* lock for reading. False: the group was removed by now. */
static bool enter(struct random *random, struct tenant *tenant)
{
	errno = 0;
	set_active_memcg(random_chance(random, 2) ? tenant->child : tenant->memcg);
	CHECK(errno == 0 || errno == ENODEV, "errno %d", errno);
	return errno == 0;
}

static void work_inside(struct random *random, struct tenant *tenant)
{
	if (!enter(random, tenant))
		return;
	for (uint32_t n = random_below(random, 30); n; n--)
		exchange(random, tenant->places);
	exchange_figure(random, tenant);
	if (random_chance(random, 50)) /* this thread keeps it from going */
		CHECK(mem_cgroup_kill(tenant->memcg, 0) == -EBUSY, "killed with a thread inside");
	set_active_memcg(NULL);
}

static void work(unsigned int place, struct random *random)
{
	(void)place;
	for (int i = 0; i < 100; i++) {
		struct tenant *tenant = &tenants[random_below(random, TENANTS)];

		pthread_rwlock_rdlock(&tenant->lock);
		work_inside(random, tenant);
		/* From outside: to remote lists. */
		for (uint32_t n = random_below(random, 5); n; n--)
			free_one(random, parcel_swap(any_place(random, tenant->places), NULL));
		pthread_rwlock_unlock(&tenant->lock);
	}
}

/* In a group of their own, with no regard to all this. */
static void work_elsewhere(unsigned int place, struct random *random)
{
	(void)place;
	set_active_memcg(elsewhere);
	for (int i = 0; i < 3000; i++) {
		exchange(random, others);
		free_one(random, parcel_swap(any_place(random, survivors), NULL));
	}
}

static void look_at_figures(unsigned int place, struct random *random)
{
	(void)place;
	for (int i = 0; i < 300; i++) {
		struct tenant *tenant = &tenants[random_below(random, TENANTS)];

		rcu_read_lock();
		for (int n = 0; n < FIGURES; n++) {
			struct figure *figure =
				__atomic_load_n(&tenant->figures[n], __ATOMIC_ACQUIRE);

			if (!figure)
				continue;
			for (int spins = 0; spins < 100; spins++)
				CHECK(__atomic_load_n(&figure->mark, __ATOMIC_RELAXED) == MARK,
				      "a figure went before its readers");
		}
		rcu_read_unlock();
	}
}

/* ---- Moving ----------------------------------------------------------------------- */

static void move(struct random *random, struct parcel **from, struct parcel **to,
		 struct mem_cgroup *memcg)
{
	void *parcel = parcel_swap(any_place(random, from), NULL), *before = parcel;
	int err = mem_cgroup_transfer(&parcel, memcg);

	if (!before)
		return;
	CHECK(!err || err == -ENOMEM || err == -ENODEV, "transfer: %d", err);
	CHECK(!err || parcel == before, "moved, and refused");
	count(err ? &refused : &moved);
	free_one(random, parcel_swap(any_place(random, err ? from : to), parcel));
}

static void move_parcels(unsigned int place, struct random *random)
{
	(void)place;
	for (int i = 0; i < 100; i++) {
		struct tenant *from = &tenants[random_below(random, TENANTS)];
		struct tenant *to = &tenants[random_below(random, TENANTS)];

		if (from == to)
			continue;
		pthread_rwlock_rdlock(from < to ? &from->lock : &to->lock);
		pthread_rwlock_rdlock(from < to ? &to->lock : &from->lock);
		for (uint32_t n = random_below(random, 10); n; n--) {
			move(random, from->places, to->places,
			     random_chance(random, 4) ? to->child : to->memcg);
			move(random, survivors, to->places, to->memcg);
			move(random, from->places, others, elsewhere);
		}
		pthread_rwlock_unlock(&to->lock);
		pthread_rwlock_unlock(&from->lock);
	}
}

/* ---- The end of tenants ------------------------------------------------------------ */

static void found(struct random *random, struct tenant *tenant)
{
	char name[32];

	snprintf(name, sizeof(name), "t%lu", (unsigned long)pattern_owner());
	tenant->memcg = mem_cgroup_create(top, name);
	tenant->child = mem_cgroup_create(tenant->memcg, "child");
	CHECK(tenant->memcg && tenant->child, "no group: errno %d", errno);
	if (random_chance(random, 3))
		mem_cgroup_set_max(tenant->memcg, 100000 + random_below(random, 1 << 20));
}

static void forget(struct tenant *tenant)
{
	mem_cgroup_put(tenant->child);
	mem_cgroup_put(tenant->memcg);
}

/* Charged by hand, this is nothing that a kill takes away. */
static struct obj_cgroup *charge_by_hand(struct tenant *tenant, size_t bytes)
{
	struct obj_cgroup *objcg;

	set_active_memcg(tenant->memcg);
	objcg = get_obj_cgroup_from_current();
	set_active_memcg(NULL);
	CHECK(!obj_cgroup_charge(objcg, GFP_KERNEL | __GFP_NOFAIL, bytes), "charge");
	return objcg;
}

static void kill(struct random *random, struct tenant *tenant)
{
	struct obj_cgroup *objcg = charge_by_hand(tenant, 5000);
	int err;

	/* Readers may still look at them. */
	for (int i = 0; i < FIGURES; i++)
		__atomic_store_n(&tenant->figures[i], NULL, __ATOMIC_RELAXED);
	err = mem_cgroup_kill(tenant->memcg, random_chance(random, 2) ? MEMCG_KILL_WIPE : 0);
	CHECK(!err, "kill: %d", err);
	for (int i = 0; i < PLACES; i++)
		tenant->places[i] = NULL;
	obj_cgroup_uncharge(objcg, 5000);
	obj_cgroup_put(objcg);
	count(&killed);
}

/* What it had lives on, and is freed some day, or moved. */
static void remove_tenant(struct random *random, struct tenant *tenant)
{
	int err;

	for (int i = 0; i < FIGURES; i++) {
		struct figure *figure =
			__atomic_exchange_n(&tenant->figures[i], NULL, __ATOMIC_ACQ_REL);

		if (figure)
			kmem_cache_free(figure_cache, figure);
	}
	mem_cgroup_rmdir(tenant->child);
	err = mem_cgroup_rmdir(tenant->memcg);
	CHECK(!err, "rmdir: %d", err);
	for (int i = 0; i < PLACES; i++)
		free_one(random, parcel_swap(&survivors[i], parcel_swap(&tenant->places[i], NULL)));
	count(&removed);
}

static void end(struct random *random, struct tenant *tenant)
{
	if (random_chance(random, 3))
		mem_cgroup_rmdir(tenant->child); /* a slab without owner is killed, too */
	if (random_chance(random, 4))
		remove_tenant(random, tenant);
	else
		kill(random, tenant);
	forget(tenant);
}

static void end_and_found(unsigned int place, struct random *random)
{
	(void)place;
	for (int i = 0; i < 20; i++) {
		struct tenant *tenant = &tenants[random_below(random, TENANTS)];

		pthread_rwlock_wrlock(&tenant->lock);
		end(random, tenant);
		found(random, tenant);
		pthread_rwlock_unlock(&tenant->lock);
	}
}

/* ------------------------------------------------------------------------------------- */

static void begin(void)
{
	pthread_rwlockattr_t attr;
	struct random random;

	random_seed(&random, 1);
	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	top = mem_cgroup_create(NULL, "top");
	elsewhere = mem_cgroup_create(NULL, "elsewhere");
	parcel_cache = kmem_cache_create("parcels", 1000, 0, 0, NULL);
	figure_cache = kmem_cache_create("figures", sizeof(struct figure), 0, SLAB_TYPESAFE_BY_RCU,
					 construct);
	for (int i = 0; i < TENANTS; i++) {
		pthread_rwlock_init(&tenants[i].lock, &attr);
		found(&random, &tenants[i]);
	}
}

static void end_all(void)
{
	struct random random;

	random_seed(&random, 2);
	for (int i = 0; i < TENANTS; i++) {
		kill(&random, &tenants[i]);
		forget(&tenants[i]);
	}
	parcels_free(others, PLACES);
	parcels_free(survivors, PLACES);
}

int main(int argc, char **argv)
{
	static const struct crew crews[] = {
		{2, work},	   {1, work_elsewhere}, {1, look_at_figures},
		{2, move_parcels}, {1, end_and_found},	{0, NULL},
	};

	deadline_start(argc, argv);
	begin();
	crew_run(crews, quiet_watch);
	crew_run_once(end_all);
	CHECK(!mem_cgroup_rmdir(elsewhere) && !mem_cgroup_rmdir(top), "rmdir");
	mem_cgroup_put(elsewhere);
	mem_cgroup_put(top);
	CHECK(!kmem_cache_destroy(parcel_cache) && !kmem_cache_destroy(figure_cache), "caches");
	debug_forget_killed();
	quiet_end();
	printf("%lu killed, %lu removed, %lu moved, %lu refused\n", killed, removed, moved,
	       refused);
	return 0;
}
