/* SPDX-License-Identifier: MIT */
/* mem_cgroup_kill() takes no object out of the hands of a shrinker. */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include <urcu-bp.h>

#include <cgslab/slab.h>

#include "tests/shrinker/toy.h"
#include "tests/slab/child.h"

static struct mem_cgroup *top, *group;
static struct toy toy;
static int inside, leave, reading;

static void make(void)
{
	top = mem_cgroup_create(NULL, "top");
	group = mem_cgroup_create(top, "group");
	cr_assert(top && group);
	toy_start(&toy, SHRINKER_MEMCG_AWARE, "toy");
	toy.objects = 1000;
	set_shrinker_bit(group, toy.shrinker->id);
}

static void stay_inside(struct toy *self, struct shrink_control *sc)
{
	(void)self;
	(void)sc;
	__atomic_store_n(&inside, 1, __ATOMIC_SEQ_CST);
	while (!__atomic_load_n(&leave, __ATOMIC_SEQ_CST))
		usleep(100);
	usleep(20000);
	__atomic_store_n(&inside, 0, __ATOMIC_SEQ_CST);
}

static void *shrink(void *memcg)
{
	toy_shrink(memcg, 0);
	return NULL;
}

static pthread_t start_inside(void (*during)(struct toy *toy, struct shrink_control *sc))
{
	pthread_t thread;

	toy.during = during;
	cr_assert_eq(pthread_create(&thread, NULL, shrink, group), 0);
	while (!__atomic_load_n(&inside, __ATOMIC_SEQ_CST))
		usleep(100);
	toy.during = NULL;
	return thread;
}

static void end_inside(pthread_t thread)
{
	__atomic_store_n(&leave, 1, __ATOMIC_SEQ_CST);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	toy.objects = 1000;
}

Test(shrink_kill, waits_for_callbacks, .init = make)
{
	pthread_t thread = start_inside(stay_inside);

	__atomic_store_n(&leave, 1, __ATOMIC_SEQ_CST);
	cr_expect_eq(mem_cgroup_kill(top, 0), 0);
	cr_expect_eq(__atomic_load_n(&inside, __ATOMIC_SEQ_CST), 0);
	end_inside(thread);
}

/* The objects that it has in its hands are the parent's by then. */
Test(shrink_kill, waits_for_those_of_removed_groups, .init = make)
{
	pthread_t thread = start_inside(stay_inside);

	cr_expect_eq(mem_cgroup_rmdir(group), 0);
	__atomic_store_n(&leave, 1, __ATOMIC_SEQ_CST);
	cr_expect_eq(mem_cgroup_kill(top, 0), 0);
	cr_expect_eq(__atomic_load_n(&inside, __ATOMIC_SEQ_CST), 0);
	end_inside(thread);
}

/* One that does not end; and then nothing has changed. */
Test(shrink_kill, gives_up, .init = make)
{
	pthread_t thread = start_inside(stay_inside);

	cr_expect_eq(mem_cgroup_kill(top, 0), -EBUSY);
	end_inside(thread);
	cr_expect_gt(toy_shrink(group, 0), 0);
	cr_expect_eq(mem_cgroup_kill(top, 0), 0);
	cr_expect_eq(toy_shrink(group, 0), 0);
}

/* It does not wait for others. */
Test(shrink_kill, other_groups_do_not_matter, .init = make)
{
	struct mem_cgroup *other = mem_cgroup_create(top, "other");
	pthread_t thread = start_inside(stay_inside);

	cr_expect_eq(mem_cgroup_kill(other, 0), 0);
	cr_expect_eq(__atomic_load_n(&inside, __ATOMIC_SEQ_CST), 1);
	end_inside(thread);
	cr_expect_gt(toy_shrink(group, 0), 0);
}

struct late {
	struct rcu_head rcu;
	char rest[100];
};

static struct late *late;

static void free_late(struct toy *self, struct shrink_control *sc)
{
	stay_inside(self, sc);
	kfree_rcu(late, rcu);
}

/* Keeps a grace period from ending until some time after the callback has. */
static void *read_for_long(void *arg)
{
	rcu_read_lock();
	__atomic_store_n(&reading, 1, __ATOMIC_SEQ_CST);
	while (!__atomic_load_n(&leave, __ATOMIC_SEQ_CST))
		usleep(100);
	usleep(200000);
	rcu_read_unlock();
	return arg;
}

/* What the callback frees by kfree_rcu() is freed before the group goes. */
Test(shrink_kill, waits_for_what_callbacks_free_later, .init = make)
{
	struct mem_cgroup *old = set_active_memcg(group);
	pthread_t thread, reader;

	late = kmalloc(sizeof(*late), GFP_KERNEL);
	set_active_memcg(old);
	cr_assert_eq(pthread_create(&reader, NULL, read_for_long, NULL), 0);
	while (!__atomic_load_n(&reading, __ATOMIC_SEQ_CST))
		usleep(100);
	thread = start_inside(free_late);
	__atomic_store_n(&leave, 1, __ATOMIC_SEQ_CST);
	cr_expect_eq(mem_cgroup_kill(top, MEMCG_KILL_WIPE), 0);
	end_inside(thread);
	cr_assert_eq(pthread_join(reader, NULL), 0);
	rcu_barrier();
	cr_expect_eq(mem_cgroup_verify(mem_cgroup_root(), NULL), 0);
}

static int err_of_own, err_of_other;

static void kill_here(struct toy *self, struct shrink_control *sc)
{
	struct mem_cgroup *other = mem_cgroup_create(top, "other");

	(void)self;
	err_of_own = mem_cgroup_kill(sc->memcg, 0);
	err_of_other = mem_cgroup_kill(other, 0);
	mem_cgroup_put(other);
}

Test(shrink_kill, by_a_callback, .init = make)
{
	toy.during = kill_here;
	toy.objects = SHRINK_BATCH;
	cr_expect_gt(toy_shrink(group, 0), 0);
	cr_expect_eq(err_of_own, -EBUSY);
	cr_expect_eq(err_of_other, 0);
}

/* The thread that was inside is not there, nor is one that waited. */
static void kill_in_child(void)
{
	CHILD_CHECK(!mem_cgroup_kill(top, 0));
}

static void *kill_top(void *arg)
{
	mem_cgroup_kill(top, 0);
	return arg;
}

static void shrink_in_child(void)
{
	CHILD_CHECK(toy_shrink(group, 0) > 0);
}

Test(shrink_kill, fork, .init = make)
{
	pthread_t thread = start_inside(stay_inside), killer;

	cr_expect_eq(child_run(fork, kill_in_child), 0);
	cr_assert_eq(pthread_create(&killer, NULL, kill_top, NULL), 0);
	usleep(20000);
	cr_expect_eq(child_run(fork, shrink_in_child), 0);
	end_inside(thread);
	pthread_join(killer, NULL);
}
