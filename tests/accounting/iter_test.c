/* SPDX-License-Identifier: MIT */
/* Walks of one's own and shared ones, while groups come and go. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "accounting/memcg_iter.h"

/*
 *	t - a - 1 - x
 *	  |   \ 2
 *	  - b - 3
 *	  - c
 */
static struct mem_cgroup *t, *a, *b, *c, *g1, *g2, *g3, *x;

static struct mem_cgroup *make(struct mem_cgroup *parent, const char *name)
{
	struct mem_cgroup *memcg = mem_cgroup_create(parent, name);

	cr_assert_not_null(memcg, "%s", name);
	return memcg;
}

static void make_tree(void)
{
	t = make(NULL, "t");
	a = make(t, "a");
	b = make(t, "b");
	g1 = make(a, "1");
	g3 = make(b, "3");
	g2 = make(a, "2");
	x = make(g1, "x");
	c = make(t, "c");
}

static void remove_group(struct mem_cgroup *memcg)
{
	cr_assert_eq(mem_cgroup_rmdir(memcg), 0, "%s", mem_cgroup_name(memcg));
	mem_cgroup_put(memcg);
}

/* The names that a walk gets, up to @most of them; then it breaks off. */
static const char *walk(struct mem_cgroup *root, struct mem_cgroup_reclaim_cookie *cookie, int most)
{
	static char names[4096];
	struct mem_cgroup *pos = NULL;

	names[0] = '\0';
	while (most-- && (pos = mem_cgroup_iter(root, pos, cookie)))
		strcat(names, mem_cgroup_name(pos));
	if (pos)
		mem_cgroup_iter_break(root, pos);
	return names;
}

#define ALL 1000

/* ---- Of one's own ------------------------------------------------------- */

Test(iter, goes_through_all_in_order, .init = make_tree)
{
	cr_expect_str_eq(walk(t, NULL, ALL), "ta1x2b3c");
	cr_expect_str_eq(walk(NULL, NULL, ALL), "processta1x2b3c");
}

Test(iter, keeps_to_the_subtree, .init = make_tree)
{
	cr_expect_str_eq(walk(a, NULL, ALL), "a1x2");
	cr_expect_str_eq(walk(b, NULL, ALL), "b3");
	cr_expect_str_eq(walk(x, NULL, ALL), "x");
	cr_expect_str_eq(walk(c, NULL, ALL), "c");
}

Test(iter, holds_what_it_returns_and_nothing_else, .init = make_tree)
{
	int64_t refs = g1->refcnt;
	struct mem_cgroup *pos = mem_cgroup_iter(g1, NULL, NULL);

	cr_expect_eq(pos, g1);
	cr_expect_eq(g1->refcnt, refs + 1);
	pos = mem_cgroup_iter(g1, pos, NULL);
	cr_expect_eq(pos, x);
	cr_expect_eq(g1->refcnt, refs);
	mem_cgroup_iter_break(g1, pos);
	mem_cgroup_iter_break(g1, NULL);
	cr_expect_eq(x->refcnt, 3, "ours, the tree's, the obj_cgroup's");
}

Test(iter, of_a_removed_root_finds_nothing, .init = make_tree)
{
	struct mem_cgroup_reclaim_cookie cookie;

	cr_assert_eq(mem_cgroup_rmdir(c), 0);
	cr_expect_null(mem_cgroup_iter(c, NULL, NULL));
	cr_expect_null(mem_cgroup_iter(c, NULL, &cookie));
	mem_cgroup_put(c);
}

Test(iter, goes_on_behind_a_position_that_is_removed, .init = make_tree)
{
	struct mem_cgroup *pos = NULL;

	do
		pos = mem_cgroup_iter(t, pos, NULL);
	while (pos != x);
	remove_group(x);
	remove_group(g1);
	remove_group(g2);
	remove_group(a); /* all its ancestors, and what would have come next */
	cr_assert_eq(mem_cgroup_iter(t, pos, NULL), b);
	cr_expect_eq(mem_cgroup_iter(t, b, NULL), g3);
	mem_cgroup_iter_break(t, g3);
}

/* Not by looking for the place: it would take days. */
Test(iter, removes_every_second_of_many, .init = make_tree, .timeout = 60)
{
	struct mem_cgroup *pos = NULL;
	int n = 0, removed = 0;
	char name[16];

	for (int i = 0; i < 50000; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		make(c, name);
	}
	while ((pos = mem_cgroup_iter(c, pos, NULL))) {
		if (pos != c && n++ % 2) {
			remove_group(pos);
			removed++;
		}
	}
	cr_expect_eq(n, 50000);
	cr_expect_eq(removed, 25000);
}

/* ---- Shared, in one thread ---------------------------------------------- */

Test(iter, walkers_take_turns, .init = make_tree)
{
	struct mem_cgroup_reclaim_cookie one, two;
	struct mem_cgroup *p, *q;

	p = mem_cgroup_iter(a, NULL, &one);
	q = mem_cgroup_iter(a, NULL, &two);
	cr_expect_eq(p, a);
	cr_expect_eq(q, g1);
	q = mem_cgroup_iter(a, q, &two);
	cr_expect_eq(q, x);
	p = mem_cgroup_iter(a, p, &one);
	cr_expect_eq(p, g2);
	p = mem_cgroup_iter(a, p, &one);
	cr_expect_null(p, "the end");
	q = mem_cgroup_iter(a, q, &two);
	cr_expect_null(q, "the generation is over");
	cr_expect_str_eq(walk(a, &one, ALL), "a1x2", "the next one");
}

Test(iter, a_walk_broken_off_is_taken_up, .init = make_tree)
{
	struct mem_cgroup_reclaim_cookie cookie;

	cr_expect_str_eq(walk(t, &cookie, 3), "ta1");
	cr_expect_str_eq(walk(t, &cookie, 2), "x2");
	cr_expect_str_eq(walk(t, NULL, ALL), "ta1x2b3c", "this one is its own");
	cr_expect_str_eq(walk(t, &cookie, ALL), "b3c");
	cr_expect_str_eq(walk(t, &cookie, ALL), "ta1x2b3c");
}

Test(iter, who_joins_at_the_end_begins_anew, .init = make_tree)
{
	struct mem_cgroup_reclaim_cookie cookie;

	cr_expect_str_eq(walk(t, &cookie, 8), "ta1x2b3c");
	cr_expect_str_eq(walk(t, &cookie, 2), "ta");
}

Test(iter, each_root_has_a_walk, .init = make_tree)
{
	struct mem_cgroup_reclaim_cookie of_t, of_a;

	cr_expect_str_eq(walk(t, &of_t, 4), "ta1x");
	cr_expect_str_eq(walk(a, &of_a, 2), "a1");
	cr_expect_str_eq(walk(t, &of_t, ALL), "2b3c");
	cr_expect_str_eq(walk(a, &of_a, ALL), "x2");
}

Test(iter, generations_wrap, .init = make_tree)
{
	struct mem_cgroup_reclaim_cookie cookie;

	for (int i = 0; i < 10000; i++)
		cr_assert_str_eq(walk(b, &cookie, ALL), "b3", "%d", i);
}

/* The position is what is removed, again and again. */
Test(iter, steps_back_from_a_removed_position, .init = make_tree)
{
	struct mem_cgroup_reclaim_cookie cookie;

	cr_expect_str_eq(walk(t, &cookie, 4), "ta1x");
	remove_group(x);
	cr_expect_str_eq(walk(t, &cookie, 1), "2");
	remove_group(g2);
	remove_group(g1);
	cr_expect_str_eq(walk(t, &cookie, 1), "b");
	remove_group(g3);
	remove_group(b);
	remove_group(a);
	cr_expect_str_eq(walk(t, &cookie, ALL), "c");
	cr_expect_str_eq(walk(t, &cookie, ALL), "tc");
}

/* To the last of the subtree before it, however deep. */
Test(iter, steps_back_into_depth, .init = make_tree)
{
	struct mem_cgroup_reclaim_cookie cookie;

	remove_group(g2);
	cr_expect_str_eq(walk(t, &cookie, 6), "ta1xb3");
	remove_group(g3);
	remove_group(b);
	make(x, "y"); /* behind the group it has stepped back to */
	cr_expect_str_eq(walk(t, &cookie, ALL), "yc");
}

Test(iter, removal_elsewhere_does_not_disturb, .init = make_tree)
{
	struct mem_cgroup_reclaim_cookie cookie;

	cr_expect_str_eq(walk(t, &cookie, 2), "ta");
	remove_group(x);
	cr_expect_str_eq(walk(t, &cookie, 2), "12");
	remove_group(g1);
	make(a, "4");
	make(t, "d");
	cr_expect_str_eq(walk(t, &cookie, ALL), "4b3cd");
}

Test(iter, the_root_itself_is_removed_at_its_position, .init = make_tree)
{
	struct mem_cgroup_reclaim_cookie cookie, above;
	struct mem_cgroup *pos = mem_cgroup_iter(c, NULL, &cookie);

	cr_assert_eq(pos, c);
	cr_expect_str_eq(walk(t, &above, 8), "ta1x2b3c");
	cr_assert_eq(mem_cgroup_rmdir(c), 0);
	cr_expect_null(mem_cgroup_iter(c, pos, &cookie));
	mem_cgroup_put(c);
	rcu_barrier();
	make(t, "d"); /* with the memory, and the small id, that c had */
	cr_expect_str_eq(walk(t, &above, ALL), "d");
}

/* A walker removes each group that it is at, leaves first in the end. */
Test(iter, a_shared_walk_removes_all, .init = make_tree)
{
	struct mem_cgroup_reclaim_cookie cookie;
	struct mem_cgroup *pos = NULL;
	int left = 8;

	for (int rounds = 0; left > 1; rounds++) {
		cr_assert_lt(rounds, 5);
		while ((pos = mem_cgroup_iter(t, pos, &cookie))) {
			if (pos == t || mem_cgroup_rmdir(pos))
				continue;
			mem_cgroup_put(pos); /* that of make() */
			left--;
		}
	}
	cr_expect_str_eq(walk(t, NULL, ALL), "t");
}

/* A small id that another group has now is not taken for the position. */
Test(iter, a_new_group_is_not_the_old_position, .init = make_tree)
{
	struct mem_cgroup_reclaim_cookie cookie;
	uint32_t small_id = memcg_small_id(g2);

	cr_expect_str_eq(walk(t, &cookie, 5), "ta1x2");
	remove_group(g2);
	rcu_barrier();
	cr_assert_eq(memcg_small_id(make(c, "new")), small_id);
	cr_expect_str_eq(walk(t, &cookie, ALL), "b3cnew");
}

/* Up to the root of all, which is nobody's child. */
Test(iter, so_does_the_walk_of_all, .init = make_tree)
{
	struct mem_cgroup_reclaim_cookie cookie;

	cr_expect_str_eq(walk(NULL, &cookie, 7), "processta1x2"); /* the root has no name */
	remove_group(g2);
	rcu_barrier();
	make(c, "new");
	cr_expect_str_eq(walk(NULL, &cookie, ALL), "b3cnew");
}

/* ---- Between the halves of a step --------------------------------------- */

/* What was found is removed, so the walk must not get there. */
Test(iter, a_group_goes_while_it_is_found, .init = make_tree)
{
	struct mem_cgroup_reclaim_cookie cookie;
	struct mem_cgroup *found;
	union memcg_iter old;

	cr_expect_str_eq(walk(t, &cookie, 6), "ta1x2b");
	found = memcg_iter_find(t, &old);
	cr_assert_eq(found, g3);
	remove_group(g3);
	cr_expect(!memcg_iter_try_advance(t, old, found));
	mem_cgroup_put(found);
	cr_expect_str_eq(walk(t, &cookie, ALL), "c");
}

Test(iter, another_group_goes_meanwhile, .init = make_tree)
{
	struct mem_cgroup_reclaim_cookie cookie;
	struct mem_cgroup *found;
	union memcg_iter old;

	cr_expect_str_eq(walk(t, &cookie, 6), "ta1x2b");
	found = memcg_iter_find(t, &old);
	cr_assert_eq(found, g3);
	remove_group(x);
	cr_expect(!memcg_iter_try_advance(t, old, found), "it cannot know which one it was");
	mem_cgroup_put(found);
	cr_expect_str_eq(walk(t, &cookie, ALL), "3c");
}

Test(iter, the_position_goes_meanwhile, .init = make_tree)
{
	struct mem_cgroup_reclaim_cookie cookie;
	struct mem_cgroup *found;
	union memcg_iter old;

	cr_expect_str_eq(walk(t, &cookie, 7), "ta1x2b3");
	found = memcg_iter_find(t, &old);
	cr_assert_eq(found, c);
	remove_group(g3);
	cr_expect(!memcg_iter_try_advance(t, old, found));
	mem_cgroup_put(found);
	cr_expect_str_eq(walk(t, &cookie, ALL), "c");
}

/* One of two gets it. A generation later the same step is another one. */
Test(iter, another_walker_is_faster, .init = make_tree)
{
	struct mem_cgroup_reclaim_cookie cookie;
	struct mem_cgroup *found;
	union memcg_iter old;

	cr_expect_str_eq(walk(t, &cookie, 3), "ta1");
	found = memcg_iter_find(t, &old);
	cr_assert_eq(found, x);
	cr_expect_str_eq(walk(t, &cookie, 1), "x");
	cr_expect(!memcg_iter_try_advance(t, old, found));
	cr_expect_str_eq(walk(t, &cookie, ALL), "2b3c");
	cr_expect_str_eq(walk(t, &cookie, 3), "ta1");
	cr_expect(!memcg_iter_try_advance(t, old, found));
	mem_cgroup_put(found);
}

/* The walk is over meanwhile, or has only just begun. */
Test(iter, the_end_comes_once, .init = make_tree)
{
	struct mem_cgroup_reclaim_cookie cookie;
	union memcg_iter old;

	cr_expect_str_eq(walk(t, &cookie, 8), "ta1x2b3c");
	cr_expect_null(memcg_iter_find(t, &old));
	cr_expect_str_eq(walk(t, &cookie, 1), "t");
	cr_expect(!memcg_iter_try_advance(t, old, NULL));
	cr_expect_str_eq(walk(t, &cookie, ALL), "a1x2b3c");
}

/* ---- Shared, by threads ------------------------------------------------- */

#define GROUPS	    2000
#define WALKERS	    6
#define GENERATIONS 40

static struct mem_cgroup_reclaim_cookie shared;
static uint32_t visits[GROUPS];
static pthread_barrier_t begin;

static void *walk_part(void *arg)
{
	struct mem_cgroup_reclaim_cookie own, *cookie = arg ? &shared : &own;
	struct mem_cgroup *pos = NULL;

	pthread_barrier_wait(&begin);
	while ((pos = mem_cgroup_iter(t, pos, cookie))) {
		int n;

		if (sscanf(mem_cgroup_name(pos), "n%d", &n) == 1)
			__atomic_add_fetch(&visits[n], 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

/*
 * A walker that comes late may begin another generation alone, and goes through
 * it to the end then; so all are visited equally often.
 */
static void expect_equal_visits(bool one_cookie)
{
	pthread_t threads[WALKERS];
	char name[16];

	for (int i = 0; i < GROUPS; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		make(i % 3 ? a : b, name);
	}
	pthread_barrier_init(&begin, NULL, WALKERS);
	for (int n = 0; n < GENERATIONS; n++) {
		memset(visits, 0, sizeof(visits));
		for (int i = 0; i < WALKERS; i++)
			pthread_create(&threads[i], NULL, walk_part, one_cookie ? t : NULL);
		for (int i = 0; i < WALKERS; i++)
			pthread_join(threads[i], NULL);
		cr_assert_geq(visits[0], 1);
		for (int i = 0; i < GROUPS; i++)
			cr_assert_eq(visits[i], visits[0], "%d: %u, not %u", i, visits[i],
				     visits[0]);
	}
}

Test(iter, threads_visit_each_group_once, .init = make_tree)
{
	expect_equal_visits(false);
}

Test(iter, threads_with_one_cookie_visit_each_group_once, .init = make_tree)
{
	expect_equal_visits(true);
}

static bool enough;

/* Below the groups that are walked, and between them. */
static void *come_and_go(void *arg)
{
	while (!__atomic_load_n(&enough, __ATOMIC_RELAXED)) {
		struct mem_cgroup *other = mem_cgroup_create(arg, "other");

		if (!other) /* another thread's */
			continue;
		remove_group(make(other, "other"));
		remove_group(other);
	}
	return NULL;
}

/* Neither twice nor never, although there is a removal at every step of the walk. */
Test(iter, nor_does_removal_of_others_change_that, .init = make_tree)
{
	pthread_t remover, threads[WALKERS];
	char name[16];

	for (int i = 0; i < GROUPS; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		make(i % 3 ? a : c, name);
	}
	pthread_create(&remover, NULL, come_and_go, b);
	pthread_barrier_init(&begin, NULL, WALKERS);
	for (int n = 0; n < GENERATIONS; n++) {
		memset(visits, 0, sizeof(visits));
		for (int i = 0; i < WALKERS; i++)
			pthread_create(&threads[i], NULL, walk_part, NULL);
		for (int i = 0; i < WALKERS; i++)
			pthread_join(threads[i], NULL);
		cr_assert_geq(visits[0], 1);
		for (int i = 0; i < GROUPS; i++)
			cr_assert_eq(visits[i], visits[0], "%d: %u, not %u", i, visits[i],
				     visits[0]);
	}
	__atomic_store_n(&enough, true, __ATOMIC_RELAXED);
	pthread_join(remover, NULL);
}
