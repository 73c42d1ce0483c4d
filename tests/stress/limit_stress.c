/* SPDX-License-Identifier: MIT */
/*
 * Groups at their limits, in every way at once: charges that reclaim, are throttled, go
 * past limits, are refused or wait for a callback that decides, while limits, protection
 * and reserves change, groups come and go, and somebody counts. One group sees nothing
 * forced: its usage may never pass its limit.
 *
 * What is reclaimed are caches of the groups, by a reclaim of the test's: lists under
 * locks that threads hold while they free, too, but never while they allocate.
 */
#include <pthread.h>
#include <string.h>

#include <cgslab/slab.h>

#include "accounting/high.h"
#include "accounting/reclaim_ops.h"
#include "alloc/base/os.h"
#include "alloc/slab/task.h"
#include "tests/stress/check.h"
#include "tests/stress/crew.h"
#include "tests/stress/deadline.h"
#include "tests/stress/pattern.h"
#include "tests/stress/quiet.h"

#define SHELVES 4 /* groups; the last is the strict one */
#define STRICT	(SHELVES - 1)
#define LIMIT	(2ul << 20)
#define LARGEST (64ul << 10)
#define SHELF	4096

struct item {
	size_t size;
	uint64_t owner;
};

static struct shelf {
	struct mem_cgroup *memcg;
	pthread_mutex_t lock;
	struct item *items[SHELF];
	unsigned int nr;
} shelves[SHELVES];

static struct mem_cgroup *parent;
static bool drought; /* atomic: reclaim finds nothing */
static unsigned long granted, refused, reclaimed, asked, explained;

static void count(unsigned long *what)
{
	__atomic_add_fetch(what, 1, __ATOMIC_RELAXED);
}

/* ---- Items --------------------------------------------------------------------- */

static struct item *item_make(size_t size, gfp_t gfp)
{
	struct item *item = kmalloc(size, gfp);

	if (!item) {
		count(&refused);
		return NULL;
	}
	count(&granted);
	item->size = size;
	item->owner = pattern_owner();
	pattern_fill(item + 1, size - sizeof(*item), item->owner);
	return item;
}

static void item_free(struct item *item)
{
	if (!item)
		return;
	pattern_check(item + 1, item->size - sizeof(*item), item->owner);
	kfree(item);
}

/* Takes it over; what finds no room is freed. */
static void shelf_put(struct shelf *shelf, struct item *item)
{
	if (!item)
		return;
	pthread_mutex_lock(&shelf->lock);
	if (shelf->nr < SHELF) {
		shelf->items[shelf->nr++] = item;
		item = NULL;
	}
	pthread_mutex_unlock(&shelf->lock);
	item_free(item);
}

static struct item *shelf_take(struct shelf *shelf)
{
	struct item *item = NULL;

	pthread_mutex_lock(&shelf->lock);
	if (shelf->nr)
		item = shelf->items[--shelf->nr];
	pthread_mutex_unlock(&shelf->lock);
	return item;
}

/* ---- Reclaim --------------------------------------------------------------------- */

static int64_t shelf_shrink(struct shelf *shelf, int64_t pages)
{
	int64_t freed = 0;
	struct item *item;

	while (freed < pages << 12 && (item = shelf_take(shelf))) {
		freed += (int64_t)item->size;
		item_free(item);
		count(&reclaimed);
	}
	return freed;
}

/* Callbacks may allocate, in any group; not in the strict one, where that would show. */
static void use_some(struct mem_cgroup *memcg)
{
	struct mem_cgroup *old;

	if (memcg == shelves[STRICT].memcg)
		return;
	old = set_active_memcg(memcg);
	kfree(kmalloc(3000, GFP_KERNEL));
	set_active_memcg(old);
}

static int64_t try_to_free(struct mem_cgroup *memcg, int64_t pages, gfp_t gfp)
{
	struct task_scope scope;
	int64_t freed = 0;

	CHECK(gfp & __GFP_DIRECT_RECLAIM, "gfp %x", gfp);
	CHECK(!memalloc_is_noreclaim(), "reclaim within reclaim");
	CHECK(!rcu_read_ongoing(), "reclaim in a read section");
	if (READ_ONCE(drought) || !task_begin_callbacks(&scope))
		return 0;
	for (int i = 0; i < SHELVES; i++) {
		struct shelf *shelf = &shelves[i];

		if (!mem_cgroup_is_descendant(shelf->memcg, memcg))
			continue;
		freed += shelf_shrink(shelf, pages);
		use_some(shelf->memcg);
	}
	task_settle_stocks();
	task_end_callbacks(&scope);
	return freed >> 12;
}

static enum mem_cgroup_oom_verdict decide(const struct mem_cgroup_oom *oom, void *arg)
{
	static unsigned int turn; /* atomic: of all groups */

	CHECK(mem_cgroup_is_descendant(oom->memcg, arg), "another group");
	count(&asked);
	if (oom->current == shelves[STRICT].memcg)
		return shelf_shrink(&shelves[STRICT], 1) ? MEMCG_OOM_RETRY : MEMCG_OOM_REFUSE;
	use_some(oom->memcg);
	return __atomic_fetch_add(&turn, 1, __ATOMIC_RELAXED) % 3;
}

/* ---- Threads ------------------------------------------------------------------------ */

static const gfp_t gfps[] = {
	GFP_KERNEL, GFP_KERNEL, GFP_NOFS, GFP_NOWAIT, GFP_KERNEL | __GFP_NOFAIL,
};

static void explain(struct random *random)
{
	struct mem_cgroup_refusal refusal = {.size = sizeof(refusal)};
	char text[200];

	if (!random_chance(random, 50) || mem_cgroup_last_refusal(&refusal))
		return;
	CHECK(refusal.bytes, "nothing was asked for");
	CHECK(mem_cgroup_explain_refusal(text, sizeof(text)) > 0, "no words");
	count(&explained);
}

static size_t some_size(struct random *random)
{
	return sizeof(struct item) + random_size(random, LARGEST);
}

static void charge_by_hand(struct random *random, gfp_t gfp)
{
	struct obj_cgroup *objcg = get_obj_cgroup_from_current();
	size_t size = random_size(random, LARGEST);

	if (!obj_cgroup_charge(objcg, gfp, size))
		obj_cgroup_uncharge(objcg, size);
	obj_cgroup_put(objcg);
}

static struct item *resize(struct item *item, struct random *random, gfp_t gfp)
{
	size_t size = some_size(random);
	size_t kept = min_t(size_t, min_t(size_t, size, item->size) - sizeof(*item), PATTERN_DENSE);
	struct item *new;

	pattern_check(item + 1, item->size - sizeof(*item), item->owner);
	new = krealloc(item, size, gfp);
	if (!new)
		return item;
	pattern_check(new + 1, kept & ~7ul, new->owner);
	new->size = size;
	pattern_fill(new + 1, size - sizeof(*new), new->owner);
	return new;
}

static void transfer(struct item *item, struct shelf *to)
{
	void *block = item;

	mem_cgroup_transfer(&block, to->memcg);
	shelf_put(to, block);
}

static void work(struct shelf *shelf, struct random *random, gfp_t gfp)
{
	struct item *item = item_make(some_size(random), gfp);

	if (!item) {
		explain(random);
		item_free(shelf_take(shelf));
		return;
	}
	if (random_chance(random, 4))
		item = resize(item, random, gfp);
	if (random_chance(random, 8))
		charge_by_hand(random, gfp);
	if (random_chance(random, 8))
		transfer(item, &shelves[random_below(random, SHELVES)]);
	else
		shelf_put(shelf, item);
	if (random_chance(random, 3))
		item_free(shelf_take(shelf));
}

/* The same past limits. */
static void work_freely(struct shelf *shelf, struct random *random, gfp_t gfp)
{
	if (random_chance(random, 2)) {
		size_t left = memalloc_overcharge_save(LARGEST);

		work(shelf, random, gfp);
		memalloc_overcharge_restore(left);
	} else {
		unsigned int flags = memalloc_noreclaim_save();

		work(shelf, random, gfp);
		memalloc_noreclaim_restore(flags);
	}
}

static void life(unsigned int place, struct random *random)
{
	struct shelf *shelf = &shelves[place % STRICT];

	set_active_memcg(shelf->memcg);
	for (int i = 0; i < 1000 && !deadline_passed(); i++) {
		gfp_t gfp = gfps[random_below(random, ARRAY_SIZE(gfps))];

		if (random_chance(random, 20))
			work_freely(shelf, random, gfp);
		else
			work(shelf, random, gfp);
	}
	set_active_memcg(NULL);
}

static void check_strict(void)
{
	CHECK(mem_cgroup_usage(shelves[STRICT].memcg) <= LIMIT, "past the limit");
}

static void strict_life(unsigned int place, struct random *random)
{
	struct shelf *shelf = &shelves[STRICT];

	(void)place;
	set_active_memcg(shelf->memcg);
	for (int i = 0; i < 1000 && !deadline_passed(); i++) {
		work(shelf, random, gfps[random_below(random, 4)]);
		check_strict();
	}
	set_active_memcg(NULL);
}

/* Limits, protection and reserves change; groups come and go. */
static void govern(unsigned int place, struct random *random)
{
	struct shelf *shelf = &shelves[random_below(random, STRICT)];
	struct mem_cgroup *memcg = shelf->memcg, *child;
	uint64_t bytes = (uint64_t)random_below(random, 8) << 18;

	(void)place;
	mem_cgroup_set_max(memcg, LIMIT / 2 + bytes);
	mem_cgroup_set_high(memcg, LIMIT / 4 + bytes);
	mem_cgroup_set_min(memcg, bytes / 4);
	mem_cgroup_set_low(memcg, bytes / 2);
	mem_cgroup_set_reserve(memcg, random_below(random, 1 << 17));
	mem_cgroup_set_oom(memcg, random_chance(random, 2) ? decide : NULL, memcg);
	mem_cgroup_set_oom_group(memcg, random_chance(random, 2));
	child = mem_cgroup_create(memcg, "child");
	CHECK(child, "no group");
	mem_cgroup_set_min(child, LIMIT);
	mem_cgroup_set_max(child, LIMIT / 2);
	mem_cgroup_set_reserve(child, random_below(random, 1 << 17));
	set_active_memcg(child);
	WRITE_ONCE(drought, random_chance(random, 2));
	for (int i = 0; i < 50; i++)
		shelf_put(shelf, item_make(some_size(random), GFP_KERNEL));
	WRITE_ONCE(drought, false);
	set_active_memcg(NULL);
	CHECK(!mem_cgroup_rmdir(child), "rmdir");
	mem_cgroup_put(child);
}

static void watch(void)
{
	check_strict();
	quiet_watch();
}

/* ---- Beginning and end ------------------------------------------------------------- */

static void make_groups(void)
{
	static const char *const names[SHELVES] = {"a", "b", "c", "strict"};

	parent = mem_cgroup_create(NULL, "parent");
	CHECK(parent, "no group");
	for (int i = 0; i < SHELVES; i++) {
		shelves[i].memcg = mem_cgroup_create(i == STRICT ? NULL : parent, names[i]);
		CHECK(shelves[i].memcg, "no group");
		mem_cgroup_set_max(shelves[i].memcg, LIMIT);
		pthread_mutex_init(&shelves[i].lock, NULL);
	}
	mem_cgroup_set_max(parent, SHELVES * LIMIT / 2);
	mem_cgroup_set_oom(parent, decide, parent);
	mem_cgroup_set_oom(shelves[STRICT].memcg, decide, shelves[STRICT].memcg);
	reclaim_ops.try_to_free = try_to_free;
	memcg_throttle_malloc = true;
}

static void remove_groups(void)
{
	reclaim_ops.try_to_free = NULL;
	for (int i = 0; i < SHELVES; i++) {
		struct item *item;

		while ((item = shelf_take(&shelves[i])))
			item_free(item);
		CHECK(!mem_cgroup_rmdir(shelves[i].memcg), "rmdir");
		mem_cgroup_put(shelves[i].memcg);
	}
	CHECK(parent->protection.children_min_usage == 0, "protection of groups that are gone");
	CHECK(parent->protection.children_low_usage == 0, "protection of groups that are gone");
	CHECK(!mem_cgroup_rmdir(parent), "rmdir");
	mem_cgroup_put(parent);
}

int main(int argc, char **argv)
{
	static const struct crew crews[] = {
		{6, life},
		{2, strict_life},
		{1, govern},
		{0, NULL},
	};

	deadline_start(argc, argv);
	make_groups();
	crew_run(crews, watch);
	check_strict();
	CHECK(mem_cgroup_peak(shelves[STRICT].memcg) <= LIMIT, "past the limit");
	crew_run_once(remove_groups);
	quiet_end();
	printf("%lu granted, %lu refused, %lu explained, %lu reclaimed, asked %lu times\n", granted,
	       refused, explained, reclaimed, asked);
	fflush(stdout);
	CHECK(granted && refused && reclaimed && asked, "nothing happened");
	return 0;
}
