/* SPDX-License-Identifier: MIT */
/* What a group leaves to its parent when it is removed. */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include <cgslab/slab.h>

#include "accounting/charge.h"
#include "accounting/obj_stock.h"

#define OBJECTS 500
#define SPANS	5
#define CHARGE	12345

static struct mem_cgroup *top, *parent, *child;
static void *objects[OBJECTS], *spans[SPANS];
static struct obj_cgroup *objcg;

static void *fill(void *arg)
{
	set_active_memcg(child);
	for (int i = 0; i < OBJECTS; i++)
		objects[i] = kmalloc((size_t)(i * 131) % 3000, GFP_KERNEL);
	for (int i = 0; i < SPANS; i++)
		spans[i] = kmalloc(100000 * (size_t)(i + 1), GFP_KERNEL);
	objcg = get_obj_cgroup_from_current();
	cr_assert_eq(obj_cgroup_charge(objcg, GFP_KERNEL, CHARGE), 0);
	return arg;
}

static void *free_all(void *arg)
{
	for (int i = 0; i < OBJECTS; i++)
		kfree(objects[i]);
	for (int i = 0; i < SPANS; i++)
		kfree(spans[i]);
	obj_cgroup_uncharge(objcg, CHARGE);
	obj_cgroup_put(objcg);
	return arg;
}

static void in_thread(void *(*fn)(void *))
{
	pthread_t thread;

	cr_assert_eq(pthread_create(&thread, NULL, fn, NULL), 0);
	cr_assert_eq(pthread_join(thread, NULL), 0);
}

static void make(void)
{
	top = mem_cgroup_create(NULL, "top");
	parent = mem_cgroup_create(top, "parent");
	child = mem_cgroup_create(parent, "child");
	cr_assert(top && parent && child);
	in_thread(fill);
}

static struct mem_cgroup_stat stat_of(struct mem_cgroup *memcg)
{
	struct mem_cgroup_stat stat = {.size = sizeof(stat)};

	cr_assert_eq(mem_cgroup_stat(memcg, &stat), 0);
	cr_assert_eq(mem_cgroup_verify(memcg, NULL), 0);
	return stat;
}

static void expect_same(struct mem_cgroup_stat before, struct mem_cgroup_stat after)
{
	cr_expect_eq(before.object_bytes, after.object_bytes);
	cr_expect_eq(before.span_bytes, after.span_bytes);
	cr_expect_eq(before.objects, after.objects);
	cr_expect_leq(after.slab_bytes, before.slab_bytes);
	/* Stocks that the group had are given back; live bytes are not. */
	cr_expect_leq(after.current, before.current);
	cr_expect_geq(after.current, after.object_bytes + after.span_bytes);
	cr_expect_lt(after.stock_bytes, (uint64_t)2 * PAGE_SIZE);
}

static void remove_group(struct mem_cgroup *memcg)
{
	cr_assert_eq(mem_cgroup_rmdir(memcg), 0);
	mem_cgroup_put(memcg);
}

static uint64_t live_bytes(void)
{
	uint64_t bytes = CHARGE;

	for (int i = 0; i < OBJECTS; i++)
		bytes += ksize(objects[i]);
	return bytes;
}

Test(reparent, the_parent_keeps_all_the_child_had, .init = make)
{
	struct mem_cgroup_stat before = stat_of(parent);

	cr_expect_eq(before.object_bytes, live_bytes());
	cr_expect_eq(before.objects, OBJECTS);
	remove_group(child);
	expect_same(before, stat_of(parent));
	expect_same(before, stat_of(top));
	in_thread(free_all);
	cr_expect_eq(mem_cgroup_usage(parent), 0);
	cr_expect_eq(stat_of(parent).slab_bytes, 0, "an ownerless slab goes with its last object");
}

Test(reparent, and_hands_it_on, .init = make)
{
	struct mem_cgroup_stat before = stat_of(top);

	remove_group(child);
	remove_group(parent);
	expect_same(before, stat_of(top));
	in_thread(free_all);
	cr_expect_eq(mem_cgroup_usage(top), 0);
	cr_expect_eq(stat_of(top).slab_bytes, 0);
}

Test(reparent, records_follow, .init = make)
{
	const struct counters_record *record = parent->memory.record;

	cr_expect_eq(record->object_bytes, 0, "the record is of the group alone");
	remove_group(child);
	cr_expect_eq((uint64_t)record->object_bytes, live_bytes());
	cr_expect_eq((uint64_t)record->span_bytes, stat_of(parent).span_bytes);
	cr_expect_eq((uint64_t)record->objects, OBJECTS);
	in_thread(free_all);
	cr_expect_eq(record->object_bytes, 0);
	cr_expect_eq(record->span_bytes, 0);
	cr_expect_eq(record->slab_bytes, 0);
	cr_expect_eq(record->objects, 0);
}

/* New charges through the dead group's obj_cgroup are the parent's. */
Test(reparent, charges_go_to_the_parent, .init = make)
{
	uint64_t bytes = stat_of(parent).object_bytes;

	remove_group(child);
	rcu_read_lock();
	cr_expect_eq(obj_cgroup_memcg(objcg), parent);
	rcu_read_unlock();
	cr_assert_eq(obj_cgroup_charge(objcg, GFP_KERNEL, 1000), 0);
	cr_expect_eq(stat_of(parent).object_bytes, bytes + 1000);
	cr_assert_eq(mem_cgroup_set_max(parent, mem_cgroup_usage(parent)), 0);
	cr_expect_eq(obj_cgroup_charge(objcg, GFP_KERNEL, 1 << 20), -ENOMEM);
	cr_expect_eq(mem_cgroup_event(parent, MEMCG_EVENT_OOM), 1);
	obj_cgroup_uncharge(objcg, 1000);
	cr_expect_eq(stat_of(parent).object_bytes, bytes);
	in_thread(free_all);
	memcg_drain_stocks(parent);
	cr_expect_eq(mem_cgroup_usage(parent), 0);
}

/* Also one that has begun before: the limit of a removed group is in nobody's way. */
Test(reparent, charges_under_way_go_to_the_parent, .init = make)
{
	struct charge charge;

	cr_assert_eq(mem_cgroup_set_max(child, mem_cgroup_usage(child)), 0);
	charge_begin(&charge, objcg, GFP_KERNEL, PAGE_SIZE);
	cr_expect(!charge_try(&charge, 10));
	remove_group(child);
	cr_assert(charge_again(&charge));
	cr_expect_eq(charge.memcg, parent);
	cr_expect(charge_try(&charge, 10));
	cr_expect_eq(mem_cgroup_event(parent, MEMCG_EVENT_MAX), 0);
	page_counter_uncharge(&parent->memory, 10);
	charge_end(&charge);
	in_thread(free_all);
	cr_expect_eq(mem_cgroup_usage(top), 0);
	cr_expect_eq(mem_cgroup_nr_dying_descendants(top), 0);
}

/* A span of a dead group may grow, shrink and move. */
Test(reparent, spans_are_resized, .init = make)
{
	uint64_t before = stat_of(parent).span_bytes;
	size_t old = ksize(spans[0]);

	memset(spans[0], 7, old);
	remove_group(child);
	spans[0] = krealloc(spans[0], 3 << 20, GFP_KERNEL);
	cr_assert_not_null(spans[0]);
	cr_expect_eq(stat_of(parent).span_bytes, before - old + ksize(spans[0]));
	for (size_t i = 0; i < old; i++)
		cr_assert_eq(((char *)spans[0])[i], 7);
	spans[0] = krealloc(spans[0], 200000, GFP_KERNEL);
	cr_expect_eq(stat_of(parent).span_bytes, before - old + ksize(spans[0]));
	in_thread(free_all);
	cr_expect_eq(mem_cgroup_usage(parent), 0);
}

/* The next group of that name has nothing to do with it. */
Test(reparent, the_name_is_free, .init = make)
{
	struct mem_cgroup *again;

	remove_group(child);
	again = mem_cgroup_create(parent, "child");
	cr_assert_not_null(again);
	cr_expect_eq(mem_cgroup_usage(again), 0);
	set_active_memcg(again);
	free_all(NULL);
	cr_expect_eq(mem_cgroup_verify(again, NULL), 0);
	cr_expect_eq(stat_of(again).object_bytes, 0);
	cr_expect_eq(stat_of(parent).object_bytes, 0);
}
