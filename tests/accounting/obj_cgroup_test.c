/* SPDX-License-Identifier: MIT */
/* Bytes charged by hand. */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>

#include <cgslab/slab.h>

#include "accounting/obj_stock.h"

static struct mem_cgroup *memcg;
static struct obj_cgroup *objcg;

static void enter(void)
{
	memcg = mem_cgroup_create(NULL, "bytes");
	cr_assert_not_null(memcg);
	set_active_memcg(memcg);
	objcg = get_obj_cgroup_from_current();
}

static uint64_t object_bytes(struct mem_cgroup *of)
{
	struct mem_cgroup_stat stat = {.size = sizeof(stat)};

	cr_assert_eq(mem_cgroup_stat(of, &stat), 0);
	cr_assert_eq(mem_cgroup_verify(of, NULL), 0);
	cr_assert_eq(stat.current, stat.object_bytes + stat.span_bytes + stat.stock_bytes);
	return stat.object_bytes;
}

static void in_thread(void *(*fn)(void *), void *arg)
{
	pthread_t thread;

	cr_assert_eq(pthread_create(&thread, NULL, fn, arg), 0);
	cr_assert_eq(pthread_join(thread, NULL), 0);
}

Test(obj_cgroup, bytes_are_exact_and_pages_are_whole, .init = enter)
{
	cr_assert_eq(obj_cgroup_charge(objcg, GFP_KERNEL, 1), 0);
	cr_expect_eq(object_bytes(memcg), 1);
	cr_expect_gt(mem_cgroup_usage(memcg), 0);
	cr_expect_eq(mem_cgroup_usage(memcg) % 4096, 0);
	cr_assert_eq(obj_cgroup_charge(objcg, GFP_KERNEL, 1000000), 0);
	cr_expect_eq(object_bytes(memcg), 1000001);
	obj_cgroup_uncharge(objcg, 1);
	cr_expect_eq(object_bytes(memcg), 1000000);
	obj_cgroup_uncharge(objcg, 999999);
	cr_expect_eq(object_bytes(memcg), 1);
	obj_cgroup_uncharge(objcg, 1);
	cr_expect_eq(object_bytes(memcg), 0);
	obj_cgroup_put(objcg);
}

Test(obj_cgroup, is_of_the_group_the_thread_is_in, .init = enter)
{
	rcu_read_lock();
	cr_expect_eq(obj_cgroup_memcg(objcg), memcg);
	rcu_read_unlock();
	set_active_memcg(NULL);
	/* The obj_cgroup is charged, not the group the thread is in now. */
	cr_assert_eq(obj_cgroup_charge(objcg, GFP_KERNEL, 5000), 0);
	cr_expect_eq(object_bytes(memcg), 5000);
	obj_cgroup_uncharge(objcg, 5000);
	cr_expect_eq(object_bytes(memcg), 0);
	obj_cgroup_put(objcg);
}

static void *uncharge_all(void *arg)
{
	for (int i = 0; i < 5000; i++)
		obj_cgroup_uncharge(objcg, 777);
	return arg;
}

Test(obj_cgroup, any_thread_may_uncharge, .init = enter)
{
	for (int i = 0; i < 5000; i++)
		cr_assert_eq(obj_cgroup_charge(objcg, GFP_KERNEL, 777), 0);
	cr_expect_eq(object_bytes(memcg), 5000 * 777);
	in_thread(uncharge_all, NULL);
	cr_expect_eq(object_bytes(memcg), 0);
	memcg_drain_stocks(memcg);
	cr_expect_eq(mem_cgroup_usage(memcg), 0);
	obj_cgroup_put(objcg);
}

static void *charge_and_end(void *arg)
{
	set_active_memcg(memcg);
	for (int i = 0; i < 1000; i++)
		cr_assert_eq(obj_cgroup_charge(objcg, GFP_KERNEL, 1234), 0);
	return arg;
}

/* A thread that ends keeps less than a page. */
Test(obj_cgroup, charges_outlive_the_thread, .init = enter)
{
	set_active_memcg(NULL);
	in_thread(charge_and_end, NULL);
	cr_expect_eq(object_bytes(memcg), 1234000);
	cr_expect_lt(mem_cgroup_usage(memcg), 1234000 + 2 * PAGE_SIZE);
	obj_cgroup_uncharge(objcg, 1234000);
	cr_expect_eq(object_bytes(memcg), 0);
	obj_cgroup_put(objcg);
}

Test(obj_cgroup, refused_beyond_all_arithmetic, .init = enter)
{
	uint64_t usage = mem_cgroup_usage(memcg);

	cr_expect_eq(obj_cgroup_charge(objcg, GFP_KERNEL, SIZE_MAX), -ENOMEM);
	cr_expect_eq(obj_cgroup_charge(objcg, GFP_KERNEL, (size_t)1 << 63), -ENOMEM);
	cr_expect_eq(obj_cgroup_charge(objcg, GFP_KERNEL | __GFP_NOFAIL, PTRDIFF_MAX), -ENOMEM,
		     "no memory can be meant");
	cr_expect_eq(object_bytes(memcg), 0);
	cr_expect_eq(mem_cgroup_usage(memcg), usage);
}

Test(obj_cgroup, refused_at_the_limit, .init = enter)
{
	cr_assert_eq(mem_cgroup_set_max(memcg, 100 * PAGE_SIZE), 0);
	cr_expect_eq(obj_cgroup_charge(objcg, GFP_KERNEL, 100 * PAGE_SIZE + 1), -ENOMEM);
	cr_expect_eq(object_bytes(memcg), 0);
	cr_expect_eq(obj_cgroup_charge(objcg, GFP_KERNEL, 100 * PAGE_SIZE), 0, "all of it");
	cr_expect_eq(obj_cgroup_charge(objcg, GFP_KERNEL, 1), -ENOMEM);
	cr_expect_eq(obj_cgroup_charge(objcg, GFP_NOWAIT, 1), -ENOMEM);
	cr_expect_eq(obj_cgroup_charge(objcg, GFP_KERNEL | __GFP_NOFAIL, 1), 0);
	cr_expect_gt(mem_cgroup_usage(memcg), mem_cgroup_max(memcg));
	obj_cgroup_uncharge(objcg, 1);
	cr_expect_eq(obj_cgroup_charge(objcg, GFP_KERNEL, 1), 0, "the page is still here");
	obj_cgroup_uncharge(objcg, 1);
	obj_cgroup_uncharge(objcg, 100 * PAGE_SIZE);
	cr_expect_eq(object_bytes(memcg), 0);
	obj_cgroup_put(objcg);
}

Test(obj_cgroup, references, .init = enter)
{
	obj_cgroup_get(objcg);
	obj_cgroup_put(objcg);
	rcu_read_lock();
	cr_expect(obj_cgroup_tryget(objcg));
	rcu_read_unlock();
	obj_cgroup_put(objcg);
	set_active_memcg(NULL);
	cr_assert_eq(mem_cgroup_rmdir(memcg), 0);
	mem_cgroup_put(memcg);
	/* It stands for the parent now, and is all that is left. */
	rcu_read_lock();
	cr_expect(obj_cgroup_tryget(objcg));
	cr_expect_eq(obj_cgroup_memcg(objcg), mem_cgroup_current());
	rcu_read_unlock();
	obj_cgroup_put(objcg);
	obj_cgroup_put(objcg);
}
