/* SPDX-License-Identifier: MIT */
#include "tests/stress/torture_tree.h"

#include <errno.h>

#include "alloc/base/rcu.h"
#include "tests/stress/check.h"
#include "tests/stress/pattern.h"

#define SLOTS 24

static struct mem_cgroup *top;
static struct mem_cgroup *slots[SLOTS]; /* RCU; each with a reference */
static unsigned long removed;		/* atomic */

static struct mem_cgroup *get_slot(struct mem_cgroup **slot)
{
	struct mem_cgroup *memcg;

	rcu_read_lock();
	memcg = __atomic_load_n(slot, __ATOMIC_ACQUIRE);
	if (memcg && !mem_cgroup_tryget_online(memcg))
		memcg = NULL;
	rcu_read_unlock();
	return memcg;
}

struct mem_cgroup *tree_get(struct random *random)
{
	return get_slot(&slots[random_below(random, SLOTS)]);
}

/* Fills an empty slot with a new group, mostly below another one. */
static void found(struct random *random, struct mem_cgroup **slot)
{
	struct mem_cgroup *parent = random_chance(random, 4) ? NULL : tree_get(random);
	struct mem_cgroup *memcg, *empty = NULL;
	char name[32];

	snprintf(name, sizeof(name), "g%lu", (unsigned long)pattern_owner());
	memcg = mem_cgroup_create(parent ? parent : top, name);
	CHECK(memcg || errno == ENODEV, "no group: errno %d", errno);
	mem_cgroup_put(parent);
	if (!memcg)
		return;
	if (random_chance(random, 2))
		mem_cgroup_set_max(memcg, random_below(random, 1 << 20));
	if (__atomic_compare_exchange_n(slot, &empty, memcg, false, __ATOMIC_RELEASE,
					__ATOMIC_RELAXED))
		return;
	CHECK(!mem_cgroup_rmdir(memcg), "rmdir of a group that nobody knows");
	mem_cgroup_put(memcg);
}

/* Whoever removes the group also empties the slot. */
static void raze(struct mem_cgroup **slot)
{
	struct mem_cgroup *memcg = get_slot(slot);
	int err;

	if (!memcg)
		return;
	err = mem_cgroup_rmdir(memcg);
	CHECK(!err || err == -EBUSY || err == -ENODEV, "rmdir: %d", err);
	if (!err) {
		__atomic_store_n(slot, NULL, __ATOMIC_RELEASE);
		__atomic_add_fetch(&removed, 1, __ATOMIC_RELAXED);
		mem_cgroup_put(memcg); /* the slot's */
	}
	mem_cgroup_put(memcg);
}

void tree_change(struct random *random)
{
	struct mem_cgroup **slot = &slots[random_below(random, SLOTS)];

	if (!__atomic_load_n(slot, __ATOMIC_RELAXED))
		found(random, slot);
	else
		raze(slot);
}

void tree_plant(void)
{
	top = mem_cgroup_create(NULL, "top");
	CHECK(top, "no group");
}

struct mem_cgroup *tree_top(void)
{
	return top;
}

void tree_fell(void)
{
	for (int left = 1; left;) { /* children first, wherever they are */
		left = 0;
		for (int i = 0; i < SLOTS; i++) {
			raze(&slots[i]);
			left += slots[i] != NULL;
		}
	}
	CHECK(mem_cgroup_nr_descendants(top) == 0, "%lu groups",
	      (unsigned long)mem_cgroup_nr_descendants(top));
	CHECK(mem_cgroup_nr_dying_descendants(top) == 0, "%lu dying groups",
	      (unsigned long)mem_cgroup_nr_dying_descendants(top));
	CHECK(mem_cgroup_usage(top) == 0, "%lu bytes", (unsigned long)mem_cgroup_usage(top));
	CHECK(!mem_cgroup_rmdir(top), "rmdir of top");
	mem_cgroup_put(top);
}

/* ---- Walks ------------------------------------------------------------------------ */

/* At once, as what is held here is not what the walk holds. */
static void look_at(struct mem_cgroup *memcg)
{
	struct mem_cgroup_stat stat = {.size = sizeof(stat)};
	char text[2048];

	mem_cgroup_path(memcg, text, sizeof(text));
	CHECK(!mem_cgroup_stat(memcg, &stat), "stat");
	CHECK(mem_cgroup_read(memcg, "memory.events", text, sizeof(text)) > 0, "events");
}

void tree_walk(struct random *random)
{
	static struct mem_cgroup_reclaim_cookie shared;
	struct mem_cgroup_reclaim_cookie own = {0}, *cookie = NULL;
	struct mem_cgroup *root = random_chance(random, 4) ? tree_get(random) : NULL;
	struct mem_cgroup *from = root ? root : top, *pos;
	uint64_t first = 0;

	if (random_chance(random, 2))
		cookie = random_chance(random, 2) ? &own : &shared;
	for (pos = mem_cgroup_iter(from, NULL, cookie); pos;
	     pos = mem_cgroup_iter(from, pos, cookie)) {
		CHECK(mem_cgroup_id(pos) >= mem_cgroup_id(from), "a group above the walk's root");
		CHECK(mem_cgroup_id(pos) != first, "a group twice in one walk");
		if (!cookie && !first)
			first = mem_cgroup_id(pos);
		if (random_chance(random, 16))
			look_at(pos);
		if (random_chance(random, 30))
			break;
	}
	mem_cgroup_iter_break(from, pos);
	mem_cgroup_put(root);
}

unsigned long tree_removed(void)
{
	return removed;
}
