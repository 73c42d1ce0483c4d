/* SPDX-License-Identifier: MIT */
/*
 * Groups that were removed and are not gone. All numbers hold at once: nothing here
 * iterates, reclaims or waits before it looks.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cgslab/slab.h>

#include "accounting/mem_cgroup.h"

#define OBJECTS 100

static struct mem_cgroup *top, *parent;

static struct mem_cgroup *make(struct mem_cgroup *below, const char *name)
{
	struct mem_cgroup *memcg = mem_cgroup_create(below, name);

	cr_assert_not_null(memcg, "%s", name);
	return memcg;
}

static void make_parents(void)
{
	top = make(NULL, "top");
	parent = make(top, "parent");
}

static void remove_group(struct mem_cgroup *memcg)
{
	cr_assert_eq(mem_cgroup_rmdir(memcg), 0);
	mem_cgroup_put(memcg);
}

static void expect_counts(struct mem_cgroup *memcg, uint64_t online, uint64_t dying)
{
	cr_expect_eq(mem_cgroup_nr_descendants(memcg), online, "%s: %lu online, not %lu",
		     mem_cgroup_name(memcg), mem_cgroup_nr_descendants(memcg), online);
	cr_expect_eq(mem_cgroup_nr_dying_descendants(memcg), dying, "%s: %lu dying, not %lu",
		     mem_cgroup_name(memcg), mem_cgroup_nr_dying_descendants(memcg), dying);
}

static struct mem_cgroup_stat stat_of(struct mem_cgroup *memcg)
{
	struct mem_cgroup_stat stat = {.size = sizeof(stat)};

	cr_assert_eq(mem_cgroup_stat(memcg, &stat), 0);
	cr_assert_eq(mem_cgroup_verify(memcg, NULL), 0);
	return stat;
}

static void fill(struct mem_cgroup *memcg, void **objects, size_t n)
{
	struct mem_cgroup *old = set_active_memcg(memcg);

	for (size_t i = 0; i < n; i++) {
		objects[i] = kmalloc(8 << i % 10, GFP_KERNEL);
		cr_assert_not_null(objects[i]);
	}
	set_active_memcg(old);
}

/* ---- Online ------------------------------------------------------------- */

Test(dying, descendants_are_counted_in_all_ancestors, .init = make_parents)
{
	struct mem_cgroup *a = make(parent, "a"), *b = make(a, "b");

	expect_counts(mem_cgroup_root(), 5, 0); /* the process's is one of them */
	expect_counts(top, 3, 0);
	expect_counts(parent, 2, 0);
	expect_counts(a, 1, 0);
	expect_counts(b, 0, 0);
	remove_group(b);
	expect_counts(a, 0, 0);
	expect_counts(top, 2, 0);
	remove_group(a);
	expect_counts(top, 1, 0);
	remove_group(parent);
	expect_counts(top, 0, 0);
}

Test(dying, a_refused_rmdir_or_create_changes_no_number, .init = make_parents)
{
	cr_expect_eq(mem_cgroup_rmdir(top), -EBUSY);
	cr_expect_null(mem_cgroup_create(top, "parent"));
	set_active_memcg(parent);
	cr_expect_eq(mem_cgroup_rmdir(parent), -EBUSY);
	set_active_memcg(NULL);
	expect_counts(top, 1, 0);
	expect_counts(mem_cgroup_root(), 3, 0);
}

Test(dying, a_user_keeps_a_group_from_going, .init = make_parents)
{
	struct mem_cgroup *a = make(parent, "a");

	cr_assert_eq(mem_cgroup_rmdir(a), 0);
	expect_counts(top, 1, 1);
	mem_cgroup_put(a);
	expect_counts(top, 1, 0);
	expect_counts(parent, 0, 0);
}

/* ---- Objects ------------------------------------------------------------ */

static void expect_gone_with_last(void **objects, size_t n, void (*free_one)(void *))
{
	for (size_t i = 0; i < n; i++) {
		expect_counts(parent, 0, 1);
		expect_counts(top, 1, 1);
		free_one(objects[i]);
	}
	expect_counts(parent, 0, 0);
	expect_counts(top, 1, 0);
	cr_expect_eq(stat_of(top).object_bytes, 0);
	cr_expect_eq(mem_cgroup_usage(top), 0);
}

static void free_here(void *object)
{
	kfree(object);
}

Test(dying, until_the_last_object_is_freed, .init = make_parents)
{
	struct mem_cgroup *child = make(parent, "child");
	struct mem_cgroup_stat before, after;
	void *objects[OBJECTS];

	fill(child, objects, OBJECTS);
	before = stat_of(parent);
	remove_group(child);
	after = stat_of(parent);
	cr_expect_eq(before.object_bytes, after.object_bytes);
	cr_expect_eq(before.span_bytes, after.span_bytes);
	cr_expect_eq(before.objects, after.objects);
	cr_expect_eq(mem_cgroup_usage(parent), mem_cgroup_usage(top));
	expect_gone_with_last(objects, OBJECTS, free_here);
}

/* Each has a stock for the dead group's bytes, and then does nothing. */
struct sleeper {
	pthread_t thread;
	void *object;
};

static pthread_barrier_t freed, over;

static void *free_and_sleep(void *arg)
{
	struct sleeper *sleeper = arg;

	kfree(sleeper->object);
	pthread_barrier_wait(&freed);
	pthread_barrier_wait(&over);
	/* The stock was detached meanwhile; it serves the next group. */
	kfree(kmalloc(100, GFP_KERNEL));
	return NULL;
}

#define SLEEPERS 8

static struct sleeper sleepers[SLEEPERS];

static void put_to_sleep(struct mem_cgroup *child)
{
	void *objects[SLEEPERS];

	fill(child, objects, SLEEPERS);
	pthread_barrier_init(&freed, NULL, SLEEPERS + 1);
	pthread_barrier_init(&over, NULL, SLEEPERS + 1);
	for (int i = 0; i < SLEEPERS; i++) {
		sleepers[i].object = objects[i];
		pthread_create(&sleepers[i].thread, NULL, free_and_sleep, &sleepers[i]);
	}
	pthread_barrier_wait(&freed);
}

static void wake_all(void)
{
	pthread_barrier_wait(&over);
	for (int i = 0; i < SLEEPERS; i++)
		pthread_join(sleepers[i].thread, NULL);
}

Test(dying, idle_threads_that_freed_its_objects_do_not_hold_it, .init = make_parents)
{
	struct mem_cgroup *child = make(parent, "child");
	void *objects[OBJECTS];

	fill(child, objects, OBJECTS);
	put_to_sleep(child);
	remove_group(child);
	expect_gone_with_last(objects, OBJECTS, free_here);
	wake_all();
	cr_expect_eq(mem_cgroup_verify(mem_cgroup_root(), NULL), 0);
}

Test(dying, nor_those_that_free_after_its_removal, .init = make_parents)
{
	struct mem_cgroup *child = make(parent, "child");
	void *objects[OBJECTS];
	uint64_t others = stat_of(mem_cgroup_root()).object_bytes;

	fill(child, objects, OBJECTS);
	set_active_memcg(child);
	sleepers[0].object = kmalloc(100, GFP_KERNEL);
	set_active_memcg(NULL);
	remove_group(child);
	pthread_barrier_init(&freed, NULL, 2);
	pthread_barrier_init(&over, NULL, 2);
	pthread_create(&sleepers[0].thread, NULL, free_and_sleep, &sleepers[0]);
	pthread_barrier_wait(&freed);
	expect_gone_with_last(objects, OBJECTS, free_here);
	pthread_barrier_wait(&over);
	pthread_join(sleepers[0].thread, NULL);
	cr_expect_eq(stat_of(mem_cgroup_root()).object_bytes, others);
}

/* Whatever the stock has when the last one comes: it may be too much with that. */
Test(dying, however_many_objects_there_were, .init = make_parents)
{
	void *objects[300];

	for (size_t n = 1; n <= 300; n++) {
		struct mem_cgroup *child = make(parent, "child");

		set_active_memcg(child);
		for (size_t i = 0; i < n; i++)
			objects[i] = kmalloc(8192, GFP_KERNEL);
		set_active_memcg(NULL);
		remove_group(child);
		for (size_t i = 0; i < n; i++)
			kfree(objects[i]);
		expect_counts(parent, 0, 0);
		cr_assert_eq(mem_cgroup_usage(top), 0, "%zu", n);
	}
}

static void *free_arg(void *arg)
{
	kfree(arg);
	return NULL;
}

static void free_in_thread(void *object)
{
	pthread_t thread;

	cr_assert_eq(pthread_create(&thread, NULL, free_arg, object), 0);
	cr_assert_eq(pthread_join(thread, NULL), 0);
}

Test(dying, until_the_last_object_is_freed_by_another_thread, .init = make_parents)
{
	struct mem_cgroup *child = make(parent, "child");
	void *objects[OBJECTS];

	fill(child, objects, OBJECTS);
	remove_group(child);
	expect_gone_with_last(objects, OBJECTS, free_in_thread);
}

Test(dying, until_the_last_span_is_freed, .init = make_parents)
{
	struct mem_cgroup *child = make(parent, "child");
	void *spans[3];

	set_active_memcg(child);
	for (int i = 0; i < 3; i++)
		spans[i] = kmalloc(1 << 20, GFP_KERNEL);
	set_active_memcg(NULL);
	remove_group(child);
	expect_gone_with_last(spans, 3, free_here);
}

Test(dying, until_the_last_user_of_its_obj_cgroup_is_gone, .init = make_parents)
{
	struct mem_cgroup *child = make(parent, "child");
	struct obj_cgroup *objcg;

	set_active_memcg(child);
	objcg = get_obj_cgroup_from_current();
	set_active_memcg(NULL);
	cr_assert_eq(obj_cgroup_charge(objcg, GFP_KERNEL, 5000), 0);
	remove_group(child);
	expect_counts(parent, 0, 1);
	cr_assert_eq(obj_cgroup_charge(objcg, GFP_KERNEL, 7000), 0, "to the parent");
	cr_expect_eq(stat_of(parent).object_bytes, 12000);
	obj_cgroup_uncharge(objcg, 12000);
	expect_counts(parent, 0, 1);
	obj_cgroup_put(objcg);
	expect_counts(parent, 0, 0);
	cr_expect_eq(mem_cgroup_usage(top), 0);
}

/* What is below a removed group goes on counting for its parent, once. */
Test(dying, above_a_group_that_is_removed_too, .init = make_parents)
{
	struct mem_cgroup *child = make(parent, "child");
	void *of_child, *of_parent;

	fill(child, &of_child, 1);
	fill(parent, &of_parent, 1);
	remove_group(child);
	mem_cgroup_get(parent);
	remove_group(parent);
	expect_counts(top, 0, 2);
	expect_counts(parent, 0, 0);
	kfree(of_child);
	expect_counts(top, 0, 1);
	expect_counts(mem_cgroup_root(), 2, 1);
	kfree(of_parent);
	expect_counts(top, 0, 1);
	mem_cgroup_put(parent);
	expect_counts(top, 0, 0);
	expect_counts(mem_cgroup_root(), 2, 0);
}

Test(dying, a_removed_group_is_charged_nothing, .init = make_parents)
{
	struct mem_cgroup *child = make(parent, "child");
	void *objects[OBJECTS];

	fill(child, objects, OBJECTS);
	cr_assert_eq(mem_cgroup_rmdir(child), 0);
	cr_expect_eq(mem_cgroup_usage(child), 0);
	cr_expect_eq(stat_of(child).object_bytes, 0);
	for (int i = 0; i < OBJECTS; i++)
		kfree(objects[i]);
	cr_expect_eq(mem_cgroup_usage(child), 0);
	mem_cgroup_put(child);
}

/* ---- Walks that stopped in it ------------------------------------------- */

/* Leads the shared walk of @root to @memcg, which the caller holds then. */
static void walk_to(struct mem_cgroup *root, struct mem_cgroup *memcg)
{
	struct mem_cgroup_reclaim_cookie cookie;
	struct mem_cgroup *pos = NULL;

	do {
		pos = mem_cgroup_iter(root, pos, &cookie);
		cr_assert_not_null(pos);
	} while (pos != memcg);
}

Test(dying, walks_that_broke_off_in_it_do_not_hold_it, .init = make_parents)
{
	struct mem_cgroup *child = make(parent, "child");
	void *objects[OBJECTS];

	fill(child, objects, OBJECTS);
	walk_to(mem_cgroup_root(), child);
	mem_cgroup_iter_break(NULL, child);
	walk_to(top, child);
	mem_cgroup_iter_break(top, child);
	walk_to(child, child);
	mem_cgroup_iter_break(child, child);
	remove_group(child);
	expect_gone_with_last(objects, OBJECTS, free_here);
}

/* A walker that never calls again is a user like any other. */
Test(dying, a_walk_that_stands_in_it_holds_it, .init = make_parents)
{
	struct mem_cgroup *child = make(parent, "child");
	void *objects[OBJECTS];

	fill(child, objects, OBJECTS);
	walk_to(top, child);
	remove_group(child);
	for (int i = 0; i < OBJECTS; i++)
		kfree(objects[i]);
	cr_expect_eq(stat_of(top).object_bytes, 0, "its objects are gone all the same");
	expect_counts(top, 1, 1);
	mem_cgroup_iter_break(top, child);
	expect_counts(top, 1, 0);
}

/* ---- Many --------------------------------------------------------------- */

#define MANY 30

/* The idea is of the kernel's self-test of dead groups. */
Test(dying, many_children, .init = make_parents)
{
	static void *objects[MANY][OBJECTS];
	struct mem_cgroup *children[MANY];
	uint64_t bytes;
	char name[16];

	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "%d", i);
		children[i] = make(parent, name);
		fill(children[i], objects[i], OBJECTS);
	}
	bytes = stat_of(parent).object_bytes;
	expect_counts(parent, MANY, 0);
	for (int i = 0; i < MANY; i++) {
		remove_group(children[i]);
		expect_counts(parent, MANY - 1 - (uint64_t)i, (uint64_t)i + 1);
	}
	cr_expect_eq(stat_of(parent).object_bytes, bytes);
	for (int i = 0; i < MANY; i++) {
		for (int j = 0; j < OBJECTS; j++)
			kfree(objects[i][j]);
		expect_counts(parent, 0, MANY - 1 - (uint64_t)i);
		expect_counts(top, 1, MANY - 1 - (uint64_t)i);
	}
	cr_expect_eq(mem_cgroup_usage(top), 0);
}

#define CHILDREN    100
#define MAX_THREADS 64

struct worker {
	pthread_t thread;
	struct mem_cgroup *memcg;
	void *objects[OBJECTS];
	uint64_t bytes;
};

static void *work(void *arg)
{
	struct worker *worker = arg;

	set_active_memcg(worker->memcg);
	for (int i = 0; i < OBJECTS; i++) {
		worker->objects[i] = kmalloc((size_t)(i * 37) % 2000 + 1, GFP_KERNEL);
		worker->bytes += ksize(worker->objects[i]);
	}
	return NULL;
}

/* All threads of all children are there before the first is waited for. */
Test(dying, many_threads_in_many_children, .init = make_parents)
{
	static struct worker workers[CHILDREN][MAX_THREADS];
	long threads = 2 * sysconf(_SC_NPROCESSORS_ONLN);
	uint64_t bytes = 0;
	char name[16];

	threads = threads < MAX_THREADS ? threads : MAX_THREADS;
	for (int i = 0; i < CHILDREN; i++) {
		snprintf(name, sizeof(name), "%d", i);
		for (long j = 0; j < threads; j++) {
			workers[i][j].memcg = j ? workers[i][0].memcg : make(parent, name);
			cr_assert_eq(
				pthread_create(&workers[i][j].thread, NULL, work, &workers[i][j]),
				0);
		}
	}
	for (int i = 0; i < CHILDREN; i++) {
		for (long j = 0; j < threads; j++) {
			pthread_join(workers[i][j].thread, NULL);
			bytes += workers[i][j].bytes;
		}
		remove_group(workers[i][0].memcg);
	}
	expect_counts(parent, 0, CHILDREN);
	cr_expect_eq(stat_of(parent).object_bytes, bytes);
	for (int i = 0; i < CHILDREN; i++)
		for (long j = 0; j < threads; j++)
			for (int k = 0; k < OBJECTS; k++)
				kfree(workers[i][j].objects[k]);
	expect_counts(parent, 0, 0);
	cr_expect_eq(mem_cgroup_usage(parent), 0);
	cr_expect_eq(mem_cgroup_usage(top), 0);
}

/* ---- Ids ---------------------------------------------------------------- */

Test(dying, ids_lead_to_groups, .init = make_parents)
{
	struct mem_cgroup *child = make(parent, "child");
	uint64_t id = mem_cgroup_id(child);

	cr_expect_eq(mem_cgroup_from_id(id), child);
	mem_cgroup_put(child);
	cr_expect_eq(mem_cgroup_from_id(1), mem_cgroup_root());
	cr_expect_null(mem_cgroup_from_id(0));
	cr_expect_null(mem_cgroup_from_id(UINT64_MAX));
	cr_expect_null(mem_cgroup_from_id(id + 1));
	cr_assert_eq(mem_cgroup_rmdir(child), 0);
	cr_expect_eq(mem_cgroup_from_id(id), child, "somebody holds it");
	mem_cgroup_put(child);
	mem_cgroup_put(child);
	cr_expect_null(mem_cgroup_from_id(id));
}

/* What an id is made of is used again, the id is not. */
Test(dying, an_old_id_finds_no_new_group, .init = make_parents)
{
	struct mem_cgroup *child = make(parent, "child"), *next;
	uint32_t small_id = memcg_small_id(child);
	uint64_t id = mem_cgroup_id(child), next_id;

	remove_group(child);
	rcu_barrier();
	next = make(parent, "child");
	next_id = mem_cgroup_id(next);
	cr_assert_eq(memcg_small_id(next), small_id, "the record is used again");
	cr_expect_gt(next_id, id);
	cr_expect_null(mem_cgroup_from_id(id));
	cr_expect_eq(mem_cgroup_from_id(next_id), next);
}

Test(dying, structs_are_freed, .init = make_parents)
{
	uint64_t structs = memcg_nr_structs();
	void *object;

	for (int i = 0; i < 1000; i++) {
		struct mem_cgroup *child = make(parent, "child");

		if (i == 500)
			fill(child, &object, 1);
		remove_group(child);
	}
	rcu_barrier();
	cr_expect_eq(memcg_nr_structs(), structs, "an object does not hold the struct");
	expect_counts(parent, 0, 1);
	kfree(object);
	expect_counts(parent, 0, 0);
}

/* ---- Threads ------------------------------------------------------------ */

Test(dying, populated_by_threads_inside_or_at_home, .init = make_parents)
{
	struct mem_cgroup *child = make(parent, "child");

	kfree(kmalloc(100, GFP_KERNEL));
	cr_expect(mem_cgroup_populated(mem_cgroup_root()));
	cr_expect(mem_cgroup_populated(mem_cgroup_current()));
	cr_expect(!mem_cgroup_populated(top));
	set_active_memcg(child);
	cr_expect(mem_cgroup_populated(child));
	cr_expect(mem_cgroup_populated(top));
	set_active_memcg(top);
	cr_expect(!mem_cgroup_populated(parent));
	cr_expect(mem_cgroup_populated(top));
	set_active_memcg(NULL);
	cr_expect(!mem_cgroup_populated(top));
	cr_assert_eq(mem_cgroup_attach(child), 0);
	set_active_memcg(top);
	cr_expect(mem_cgroup_populated(parent), "a thread has its home below");
	set_active_memcg(NULL);
	cr_assert_eq(mem_cgroup_attach(NULL), 0);
	cr_expect(!mem_cgroup_populated(top));
}

static void *enter_and_end(void *arg)
{
	cr_assert_eq(mem_cgroup_attach(arg), 0);
	kfree(kmalloc(100, GFP_KERNEL));
	return NULL;
}

Test(dying, not_populated_by_threads_that_ended, .init = make_parents)
{
	pthread_t thread;

	pthread_create(&thread, NULL, enter_and_end, parent);
	pthread_join(thread, NULL);
	cr_expect(!mem_cgroup_populated(top));
	cr_expect_eq(mem_cgroup_rmdir(parent), 0);
}
