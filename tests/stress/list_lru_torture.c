/* SPDX-License-Identifier: MIT */
/*
 * Objects of tenants are on a list_lru, are looked at, taken off and put back, while
 * tenants are short of memory, shrinkers and walks scan them, and tenants are removed
 * or killed with what they have. Each object is taken off once: by who deletes it, by
 * one scan, or by a kill.
 *
 * An object has a lock, which is held while its item is added or deleted, and which
 * the callback only tries. It is found in a place, under RCU.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>

#include <cgslab/list_lru.h>
#include <cgslab/slab.h>

#include "alloc/base/atomic.h"
#include "alloc/base/list.h"
#include "alloc/base/rcu.h"
#include "alloc/slab/debug.h"
#include "alloc/slab/task.h"
#include "shrinker/shrink.h"
#include "shrinker/shrinker_info.h"
#include "tests/stress/check.h"
#include "tests/stress/crew.h"
#include "tests/stress/deadline.h"
#include "tests/stress/pattern.h"
#include "tests/stress/quiet.h"

#define TENANTS 5
#define PLACES	200
#define LARGEST 3000

struct object {
	struct list_head lru;
	uint32_t locked;
	bool off;		  /* ->locked: it was taken off the list, for good */
	struct object **place;	  /* ->locked */
	long *live;		  /* ->locked: the count it is in */
	struct mem_cgroup *memcg; /* that it was added for, held; NULL: by the object */
	struct rcu_head rcu;
	uint64_t owner;
	uint32_t size;
	char content[];
};

/*
 * lock for reading: for who uses objects; for writing: for who ends the tenant. The
 * library's own shrinkers have none, so kill sees to them.
 */
struct tenant {
	pthread_rwlock_t lock;
	struct mem_cgroup *memcg, *child; /* lock; the child may be offline */
	struct object *places[PLACES];	  /* atomic; RCU */
	long live;			  /* atomic: objects on lists */
};

static struct mem_cgroup *top;
static struct tenant tenants[TENANTS];
static struct object *survivors[PLACES]; /* of groups that were removed */
static long survivors_live;
static struct list_lru lru;
static struct shrinker *shrinker;
static unsigned long added, deleted, scanned, killed; /* atomic */

static void count(unsigned long *what, unsigned long n)
{
	__atomic_add_fetch(what, n, __ATOMIC_RELAXED);
}

/* ---- Objects ------------------------------------------------------------ */

static bool try_lock_object(struct object *object)
{
	uint32_t unlocked = 0;

	return cmpxchg_acquire(&object->locked, &unlocked, 1u);
}

static void lock_object(struct object *object)
{
	while (!try_lock_object(object))
		sched_yield();
}

static void unlock_object(struct object *object)
{
	store_release(&object->locked, 0u);
}

/* The caller has taken it off. */
static void free_object(struct object *object)
{
	pattern_check(object->content, object->size, object->owner);
	mem_cgroup_put(object->memcg);
	kfree_rcu(object, rcu);
}

static bool add_item(struct object *object)
{
	return object->memcg ? list_lru_add(&lru, &object->lru, 0, object->memcg)
			     : list_lru_add_obj(&lru, &object->lru);
}

/* Its lock is held. */
static void put_on_list(struct object *object)
{
	CHECK(add_item(object), "not added");
	CHECK(!add_item(object), "added twice");
}

static void take_off_list(struct object *object)
{
	CHECK(object->memcg ? list_lru_del(&lru, &object->lru, 0, object->memcg)
			    : list_lru_del_obj(&lru, &object->lru),
	      "not deleted");
}

static struct object *new_object(struct random *random, struct mem_cgroup *memcg)
{
	uint32_t size = random_below(random, LARGEST);
	struct object *object = kmalloc(sizeof(*object) + size, GFP_KERNEL);

	if (!object)
		return NULL;
	*object = (struct object){.owner = pattern_owner(), .size = size};
	list_init(&object->lru);
	if (random_chance(random, 3)) {
		mem_cgroup_get(memcg);
		object->memcg = memcg;
	}
	pattern_fill(object->content, size, object->owner);
	return object;
}

/* From a place that it was taken from, if no scan was first. RCU. */
static struct object *claim(struct object *object)
{
	bool mine;

	if (!object)
		return NULL;
	lock_object(object);
	mine = !object->off;
	if (mine) {
		take_off_list(object);
		object->off = true;
		__atomic_sub_fetch(object->live, 1, __ATOMIC_RELAXED);
	}
	unlock_object(object);
	return mine ? object : NULL;
}

static void delete (struct object **place)
{
	struct object *object;

	rcu_read_lock();
	object = claim(atomic_xchg(place, NULL));
	rcu_read_unlock();
	if (!object)
		return;
	count(&deleted, 1);
	free_object(object);
}

/* Puts it where another may be, which goes. */
static void exchange(struct object **place, struct object *object, long *live)
{
	struct object *old;

	rcu_read_lock();
	lock_object(object);
	object->place = place;
	object->live = live;
	__atomic_add_fetch(live, 1, __ATOMIC_RELAXED);
	put_on_list(object);
	old = atomic_xchg(place, object);
	unlock_object(object);
	old = claim(old);
	rcu_read_unlock();
	count(&added, 1);
	if (old) {
		count(&deleted, 1);
		free_object(old);
	}
}

/* It becomes the youngest. */
static void touch(struct object **place)
{
	struct object *object;

	rcu_read_lock();
	object = load_acquire(place);
	if (object) {
		lock_object(object);
		if (!object->off) {
			take_off_list(object);
			put_on_list(object);
		}
		unlock_object(object);
	}
	rcu_read_unlock();
}

/* ---- Scanning ----------------------------------------------------------- */

struct scan {
	struct random random;
	struct list_head dispose;
	bool all;
};

static void take_out_of_place(struct object *object)
{
	struct object *old = object;

	object->off = true;
	__atomic_sub_fetch(object->live, 1, __ATOMIC_RELAXED);
	cmpxchg_relaxed(object->place, &old, NULL);
}

static enum lru_status take(struct scan *scan, struct list_head *item, struct list_lru_one *list)
{
	struct object *object = container_of(item, struct object, lru);
	bool unlock = random_chance(&scan->random, 5);

	if (!try_lock_object(object))
		return LRU_SKIP;
	take_out_of_place(object);
	list_lru_isolate_move(list, item, &scan->dispose);
	unlock_object(object);
	if (unlock)
		list_lru_unlock(list);
	return unlock ? LRU_REMOVED_RETRY : LRU_REMOVED;
}

static enum lru_status isolate(struct list_head *item, struct list_lru_one *list, void *arg)
{
	struct scan *scan = arg;

	if (scan->all)
		return take(scan, item, list);
	switch (random_below(&scan->random, 10)) {
	case 0:
		return LRU_ROTATE;
	case 1:
		return LRU_SKIP;
	case 2:
		list_lru_unlock(list);
		return LRU_RETRY;
	case 3:
		return LRU_STOP;
	case 4:
		list_lru_unlock(list);
		kfree(kmalloc(100, GFP_KERNEL));
		return LRU_STOP;
	default:
		return take(scan, item, list);
	}
}

static void begin_scan(struct scan *scan)
{
	random_seed(&scan->random, pattern_owner());
	list_init(&scan->dispose);
	scan->all = false;
}

static void end_scan(struct scan *scan, unsigned long isolated)
{
	struct object *object, *next;
	unsigned long n = 0;

	list_for_each_entry_safe (object, next, &scan->dispose, lru) {
		free_object(object);
		n++;
	}
	CHECK(n == isolated, "%lu isolated, and %lu found", isolated, n);
	count(&scanned, n);
}

static unsigned long count_objects(struct shrinker *self, struct shrink_control *sc)
{
	unsigned long n = list_lru_shrink_count(&lru, sc);

	(void)self;
	return n ? n : SHRINK_EMPTY;
}

static bool at_end; /* const while others run */

static unsigned long scan_objects(struct shrinker *self, struct shrink_control *sc)
{
	struct scan scan;
	unsigned long isolated;

	(void)self;
	begin_scan(&scan);
	scan.all = at_end;
	isolated = list_lru_shrink_walk(&lru, sc, isolate, &scan);
	end_scan(&scan, isolated);
	return isolated;
}

/* By the library, for a group without any lock of ours. */
static unsigned long shrink(struct mem_cgroup *memcg, int priority)
{
	struct shrink_scope scope = {
		.memcg = memcg,
		.gfp = GFP_KERNEL,
		.priority = priority,
		.share = SHRINK_WHOLE_SHARE,
	};
	struct task_scope callbacks;
	unsigned long freed;

	CHECK(task_begin_callbacks(&callbacks), "no callbacks");
	freed = shrink_slab_memcg(&scope);
	task_end_callbacks(&callbacks);
	return freed;
}

static struct mem_cgroup *any_group(struct random *random, struct tenant *tenant)
{
	return random_chance(random, 2) ? tenant->child : tenant->memcg;
}

static void shrink_one(struct random *random)
{
	struct tenant *tenant = &tenants[random_below(random, TENANTS)];
	struct mem_cgroup *memcg;

	pthread_rwlock_rdlock(&tenant->lock);
	memcg = random_chance(random, 5) ? top : any_group(random, tenant);
	mem_cgroup_get(memcg);
	pthread_rwlock_unlock(&tenant->lock);
	if (random_chance(random, 3))
		mem_cgroup_reclaim(memcg, random_below(random, 100000));
	else
		shrink(memcg, (int)random_below(random, 6));
	mem_cgroup_put(memcg);
}

static void shrink_all_the_time(unsigned int place, struct random *random)
{
	(void)place;
	for (int i = 0; i < 200; i++)
		shrink_one(random);
}

/* By the program: it keeps the tenants from going. */
static void walk(unsigned int place, struct random *random)
{
	unsigned long isolated, nr = random_below(random, 100);
	struct tenant *tenant = &tenants[random_below(random, TENANTS)];
	struct scan scan;

	(void)place;
	begin_scan(&scan);
	pthread_rwlock_rdlock(&tenant->lock);
	isolated = list_lru_walk_one(&lru, 0, any_group(random, tenant), isolate, &scan, &nr);
	end_scan(&scan, isolated);
	pthread_rwlock_unlock(&tenant->lock);

	begin_scan(&scan);
	for (int i = 0; i < TENANTS; i++)
		pthread_rwlock_rdlock(&tenants[i].lock);
	isolated = list_lru_walk(&lru, isolate, &scan, random_below(random, 300));
	end_scan(&scan, isolated);
	for (int i = 0; i < TENANTS; i++)
		pthread_rwlock_unlock(&tenants[i].lock);
}

/* ---- Use ---------------------------------------------------------------- */

static struct object **any_place(struct random *random, struct object **places)
{
	return &places[random_below(random, PLACES)];
}

static void add_for(struct random *random, struct tenant *tenant, struct mem_cgroup *memcg)
{
	errno = 0;
	set_active_memcg(memcg);
	if (errno)
		return; /* the child was removed */
	for (uint32_t n = random_below(random, 20); n; n--) {
		struct object *object = new_object(random, memcg);

		if (object)
			exchange(any_place(random, tenant->places), object, &tenant->live);
	}
	set_active_memcg(NULL);
}

/* A group that goes while others use what is in it. */
static void add_in_passing(struct random *random, struct tenant *tenant)
{
	struct mem_cgroup *memcg;
	char name[32];

	snprintf(name, sizeof(name), "p%lu", (unsigned long)pattern_owner());
	memcg = mem_cgroup_create(tenant->memcg, name);
	CHECK(memcg, "no group: errno %d", errno);
	add_for(random, tenant, memcg);
	CHECK(!mem_cgroup_rmdir(memcg), "rmdir");
	mem_cgroup_put(memcg);
}

static void add_some(struct random *random, struct tenant *tenant)
{
	if (random_chance(random, 2))
		add_in_passing(random, tenant);
	else
		add_for(random, tenant, any_group(random, tenant));
}

static void use(unsigned int place, struct random *random)
{
	(void)place;
	for (int i = 0; i < 300; i++) {
		struct tenant *tenant = &tenants[random_below(random, TENANTS)];

		pthread_rwlock_rdlock(&tenant->lock);
		add_some(random, tenant);
		for (uint32_t n = random_below(random, 10); n; n--)
			touch(any_place(random, tenant->places));
		for (uint32_t n = random_below(random, 5); n; n--)
			delete (any_place(random, tenant->places));
		pthread_rwlock_unlock(&tenant->lock);
		touch(any_place(random, survivors));
		delete (any_place(random, survivors));
	}
}

/* ---- The end of tenants ------------------------------------------------- */

static void found(struct random *random, struct tenant *tenant)
{
	char name[32];

	snprintf(name, sizeof(name), "t%lu", (unsigned long)pattern_owner());
	tenant->memcg = mem_cgroup_create(top, name);
	CHECK(tenant->memcg, "no group: errno %d", errno);
	tenant->child = mem_cgroup_create(tenant->memcg, "child");
	CHECK(tenant->child, "no group: errno %d", errno);
	if (random_chance(random, 2))
		mem_cgroup_set_max(tenant->memcg, 50000 + random_below(random, 200000));
	if (random_chance(random, 3))
		mem_cgroup_set_max(tenant->child, 50000 + random_below(random, 100000));
}

static void forget(struct tenant *tenant)
{
	mem_cgroup_put(tenant->child);
	mem_cgroup_put(tenant->memcg);
}

/* Objects with a reference, which a kill would not put, go before. */
static void delete_holders(struct tenant *tenant)
{
	for (int i = 0; i < PLACES; i++) {
		struct object *object;
		bool holds;

		rcu_read_lock();
		object = load_acquire(&tenant->places[i]);
		holds = object && object->memcg;
		rcu_read_unlock();
		if (holds)
			delete (&tenant->places[i]);
	}
}

/* Those that are left to their lists go with the group. */
static void kill(struct random *random, struct tenant *tenant)
{
	int err;

	delete_holders(tenant);
	err = mem_cgroup_kill(tenant->memcg, random_chance(random, 2) ? MEMCG_KILL_WIPE : 0);
	CHECK(!err, "kill: %d", err);
	for (int i = 0; i < PLACES; i++)
		tenant->places[i] = NULL;
	CHECK(tenant->live >= 0 && tenant->live <= PLACES, "%ld objects", tenant->live);
	CHECK(!list_lru_count_one(&lru, 0, tenant->memcg), "a list of a killed group");
	count(&killed, (unsigned long)tenant->live);
	tenant->live = 0;
}

/* From the tenant to the survivors, unless a scan is first. */
static void move(struct object **from, struct object **to)
{
	struct object *object, *old = NULL;

	rcu_read_lock();
	object = atomic_xchg(from, NULL);
	if (object) {
		lock_object(object);
		if (!object->off) {
			__atomic_sub_fetch(object->live, 1, __ATOMIC_RELAXED);
			__atomic_add_fetch(&survivors_live, 1, __ATOMIC_RELAXED);
			object->live = &survivors_live;
			object->place = to;
			old = atomic_xchg(to, object);
		}
		unlock_object(object);
	}
	old = claim(old);
	rcu_read_unlock();
	if (old) {
		count(&deleted, 1);
		free_object(old);
	}
}

static void remove_tenant(struct tenant *tenant)
{
	mem_cgroup_rmdir(tenant->child);
	CHECK(!mem_cgroup_rmdir(tenant->memcg), "rmdir");
	CHECK(!list_lru_count_one(&lru, 0, tenant->memcg), "a list of a removed group");
	for (int i = 0; i < PLACES; i++)
		move(&tenant->places[i], &survivors[i]);
	CHECK(!__atomic_load_n(&tenant->live, __ATOMIC_RELAXED), "%ld objects", tenant->live);
}

static void end_and_found(unsigned int place, struct random *random)
{
	(void)place;
	for (int i = 0; i < 20; i++) {
		struct tenant *tenant = &tenants[random_below(random, TENANTS)];

		pthread_rwlock_wrlock(&tenant->lock);
		if (random_chance(random, 3))
			mem_cgroup_rmdir(tenant->child);
		if (random_chance(random, 2))
			remove_tenant(tenant);
		else
			kill(random, tenant);
		forget(tenant);
		found(random, tenant);
		pthread_rwlock_unlock(&tenant->lock);
	}
}

/* ------------------------------------------------------------------------- */

static void begin(void)
{
	pthread_rwlockattr_t attr;
	struct random random;

	random_seed(&random, 1);
	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	top = mem_cgroup_create(NULL, "top");
	shrinker = shrinker_alloc(SHRINKER_MEMCG_AWARE, "torture");
	CHECK(top && shrinker, "no memory");
	CHECK(!list_lru_init_memcg(&lru, shrinker), "no memory");
	shrinker->count_objects = count_objects;
	shrinker->scan_objects = scan_objects;
	shrinker_register(shrinker);
	for (int i = 0; i < TENANTS; i++) {
		pthread_rwlock_init(&tenants[i].lock, &attr);
		found(&random, &tenants[i]);
	}
}

/* By their bits alone the shrinkers find all that is left, wherever it is. */
static void shrink_all(void)
{
	struct mem_cgroup *memcg = NULL;

	at_end = true;
	while ((memcg = mem_cgroup_iter(NULL, memcg, NULL)))
		while (shrink(memcg, 0))
			;
	CHECK(!list_lru_count(&lru), "%lu objects were not found", list_lru_count(&lru));
	CHECK(added == deleted + scanned + killed,
	      "%lu added, %lu deleted, %lu scanned, %lu killed", added, deleted, scanned, killed);
}

static void end_all(void)
{
	shrink_all();
	for (int i = 0; i < TENANTS; i++) {
		mem_cgroup_rmdir(tenants[i].child);
		CHECK(!mem_cgroup_rmdir(tenants[i].memcg), "rmdir");
		forget(&tenants[i]);
	}
	shrinker_free(shrinker);
	list_lru_destroy(&lru);
	CHECK(!mem_cgroup_rmdir(top), "rmdir of top");
	mem_cgroup_put(top);
	kvfree_rcu_barrier();
}

int main(int argc, char **argv)
{
	static const struct crew crews[] = {
		{3, use}, {2, shrink_all_the_time}, {1, walk}, {2, end_and_found}, {0, NULL},
	};

	deadline_start(argc, argv);
	begin();
	crew_run(crews, quiet_watch);
	crew_run_once(end_all);
	debug_forget_killed();
	quiet_end();
	printf("%lu added, %lu deleted, %lu scanned, %lu killed\n", added, deleted, scanned,
	       killed);
	return 0;
}
