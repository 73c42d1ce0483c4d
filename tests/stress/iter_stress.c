/* SPDX-License-Identifier: MIT */
/*
 * Groups come and go at random depths while others walk the tree, alone and in
 * shared walks, break off, and stop in the middle for a while. Objects outlive
 * their groups, so that some are dying, and threads move from one to the other. In
 * the end everything is freed.
 */
#include <errno.h>
#include <sched.h>

#include <cgslab/slab.h>

#include "accounting/mem_cgroup.h"
#include "tests/stress/check.h"
#include "tests/stress/crew.h"
#include "tests/stress/deadline.h"
#include "tests/stress/pattern.h"
#include "tests/stress/quiet.h"

#define STAYING 40 /* groups that are there all the time */
#define PLACES	64 /* objects, freed by whoever comes across them */

static struct mem_cgroup *top;
static struct mem_cgroup *staying[STAYING];
static void *places[PLACES];
static unsigned long made, removed, steps, generations;

static void count(unsigned long *what, unsigned long n)
{
	__atomic_add_fetch(what, n, __ATOMIC_RELAXED);
}

/* A random group, found by walking to it, with a reference; NULL if the walk ends before. */
static struct mem_cgroup *find(struct random *random)
{
	uint32_t n = random_below(random, 60);
	struct mem_cgroup *pos = NULL;

	do
		pos = mem_cgroup_iter(top, pos, NULL);
	while (pos && n--);
	return pos;
}

/* ---- Making and removing -------------------------------------------------- */

static void leave_object(struct random *random, struct mem_cgroup *memcg)
{
	void **place = &places[random_below(random, PLACES)];
	void *object;

	set_active_memcg(memcg);
	object = kmalloc(random_size(random, 20000), GFP_KERNEL);
	set_active_memcg(NULL);
	kfree(__atomic_exchange_n(place, object, __ATOMIC_ACQ_REL));
}

static void make_one(struct random *random)
{
	struct mem_cgroup *parent = find(random), *memcg;
	uint64_t id;
	char name[32];

	if (!parent)
		return;
	snprintf(name, sizeof(name), "g%lu", (unsigned long)pattern_owner());
	memcg = mem_cgroup_create(parent, name);
	CHECK(memcg || errno == ENODEV, "no group: errno %d", errno);
	mem_cgroup_put(parent);
	if (!memcg)
		return;
	count(&made, 1);
	if (random_chance(random, 3))
		leave_object(random, memcg);
	id = mem_cgroup_id(memcg);
	mem_cgroup_put(memcg);
	/* Anybody may have removed it by now. */
	memcg = mem_cgroup_from_id(id);
	CHECK(!memcg || mem_cgroup_id(memcg) == id, "another group");
	mem_cgroup_put(memcg);
}

static bool stays(const struct mem_cgroup *memcg)
{
	return memcg == top || mem_cgroup_name(memcg)[0] == 's';
}

static void remove_one(struct random *random)
{
	struct mem_cgroup *memcg = find(random);
	int err;

	if (!memcg)
		return;
	if (!stays(memcg)) {
		err = mem_cgroup_rmdir(memcg);
		CHECK(!err || err == -EBUSY || err == -ENODEV, "rmdir: %d", err);
		count(&removed, !err);
	}
	mem_cgroup_put(memcg);
}

static void come_and_go(unsigned int place, struct random *random)
{
	(void)place;
	for (int i = 0; i < 300; i++) {
		if (mem_cgroup_nr_descendants(top) < 100 + random_below(random, 100))
			make_one(random);
		else
			remove_one(random);
	}
}

/* ---- Walking -------------------------------------------------------------- */

static int number_of(const struct mem_cgroup *memcg)
{
	int n = -1;

	CHECK(mem_cgroup_id(memcg) > 0, "no group");
	sscanf(mem_cgroup_name(memcg), "s%d", &n);
	return n;
}

/* All that stay, once each, and in order. */
static void walk_alone(unsigned int place, struct random *random)
{
	(void)place;
	for (int i = 0; i < 20; i++) {
		bool break_off = random_chance(random, 4);
		uint32_t n = random_below(random, 100);
		struct mem_cgroup *pos = NULL;
		int last = -1;

		while ((pos = mem_cgroup_iter(top, pos, NULL)) && !(break_off && !n--)) {
			if (number_of(pos) < 0)
				continue;
			CHECK(number_of(pos) == last + 1, "s%d after s%d", number_of(pos), last);
			last++;
		}
		CHECK(pos || last == STAYING - 1, "s%d was the last", last);
		mem_cgroup_iter_break(top, pos);
	}
}

/* How often each of those that stay was returned, to anybody, in all generations. */
static unsigned long visits[STAYING];

static void visit(const struct mem_cgroup *memcg)
{
	int n = number_of(memcg);

	if (n >= 0)
		count(&visits[n], 1);
}

static void walk_together(unsigned int place, struct random *random)
{
	static struct mem_cgroup_reclaim_cookie shared;
	struct mem_cgroup_reclaim_cookie own, *cookie = place % 2 ? &own : &shared;

	for (int i = 0; i < 20; i++) {
		uint32_t n = random_chance(random, 4) ? random_below(random, 100) : UINT32_MAX;
		struct mem_cgroup *pos = NULL;

		do {
			pos = mem_cgroup_iter(top, pos, cookie);
			if (pos)
				visit(pos);
			count(&steps, 1);
		} while (pos && n--);
		count(&generations, !pos);
		mem_cgroup_iter_break(top, pos);
	}
}

/* Walks the subtree of something that may go at any time. */
static void walk_somewhere(unsigned int place, struct random *random)
{
	(void)place;
	for (int i = 0; i < 100; i++) {
		struct mem_cgroup_reclaim_cookie cookie;
		struct mem_cgroup *root = find(random);
		uint32_t n = random_below(random, 20);
		struct mem_cgroup *pos = NULL;

		if (!root || root == top) { /* the visits of that are counted */
			mem_cgroup_put(root);
			continue;
		}
		do
			pos = mem_cgroup_iter(root, pos, random_chance(random, 2) ? &cookie : NULL);
		while (pos && n--);
		if (random_chance(random, 8))
			sched_yield();
		mem_cgroup_iter_break(root, pos);
		mem_cgroup_put(root);
	}
}

/* ---- Living there --------------------------------------------------------- */

/* Moves house, and ends wherever it is then. */
static void settle(unsigned int place, struct random *random)
{
	(void)place;
	for (int i = 0; i < 10; i++) {
		struct mem_cgroup *memcg = find(random);
		int err;

		if (!memcg)
			continue;
		err = mem_cgroup_attach(memcg);
		CHECK(!err || err == -ENODEV, "attach: %d", err);
		if (!err) {
			kfree(kmalloc(100, GFP_KERNEL));
			CHECK(mem_cgroup_populated(memcg), "a thread lives there");
			CHECK(mem_cgroup_populated(top), "and so above");
		}
		mem_cgroup_put(memcg);
	}
}

/* ---- The end -------------------------------------------------------------- */

static void remove_all(struct mem_cgroup *root)
{
	struct mem_cgroup *pos;

	while (mem_cgroup_nr_descendants(root))
		for (pos = mem_cgroup_iter(root, NULL, NULL); pos;
		     pos = mem_cgroup_iter(root, pos, NULL))
			if (pos != root)
				mem_cgroup_rmdir(pos);
}

static void free_all(void)
{
	for (int i = 0; i < PLACES; i++)
		kfree(places[i]);
}

/* As often as the others, when the walk that is under way has come to its end. */
static void check_visits(void)
{
	struct mem_cgroup_reclaim_cookie cookie;
	struct mem_cgroup *pos = NULL;

	while ((pos = mem_cgroup_iter(top, pos, &cookie)))
		visit(pos);
	for (int i = 1; i < STAYING; i++)
		CHECK(visits[i] == visits[0], "s%d: %lu visits, s0: %lu", i, visits[i], visits[0]);
}

int main(int argc, char **argv)
{
	static const struct crew crews[] = {{3, come_and_go},	{2, walk_alone},
					    {4, walk_together}, {2, walk_somewhere},
					    {1, settle},	{0, NULL}};
	uint64_t structs = memcg_nr_structs();

	deadline_start(argc, argv);
	top = mem_cgroup_create(NULL, "top");
	for (int i = 0; i < STAYING; i++) {
		char name[16];

		snprintf(name, sizeof(name), "s%d", i);
		staying[i] = mem_cgroup_create(i % 3 ? staying[i - 1] : top, name);
		CHECK(staying[i], "no group");
	}
	crew_run(crews, quiet_watch);

	check_visits();
	for (int i = 0; i < STAYING; i++)
		mem_cgroup_put(staying[i]);
	remove_all(top);
	crew_run_once(free_all);
	CHECK(mem_cgroup_nr_dying_descendants(top) == 0, "%lu are dying",
	      (unsigned long)mem_cgroup_nr_dying_descendants(top));
	CHECK(!mem_cgroup_rmdir(top), "rmdir of top");
	mem_cgroup_put(top);
	quiet_end();
	CHECK(memcg_nr_structs() == structs, "%lu structs are left",
	      (unsigned long)memcg_nr_structs());
	printf("%lu made, %lu removed, %lu steps in %lu shared walks\n", made, removed, steps,
	       generations);
	return 0;
}
