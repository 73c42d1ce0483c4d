/* SPDX-License-Identifier: MIT */
/* The inline way of obj_cgroup_charge(), beside the function, and from C++. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

#include <cgslab/memcg.h>

#include "tests/accounting/charge_cxx.h"

#define SIZE 100

/* What programs were compiled with. */
_Static_assert(offsetof(struct cgslab_stock, used) == 0, "ABI");
_Static_assert(offsetof(struct cgslab_stock, limit) == 8, "ABI");
_Static_assert(offsetof(struct cgslab_stock, floor) == 16, "ABI");
_Static_assert(offsetof(struct cgslab_stock, objcg) == 24, "ABI");
_Static_assert(offsetof(struct cgslab_stock, manual) == 32, "ABI");

/* The exported functions, as who looks them up by name has them. */
static int (*volatile charge_function)(struct obj_cgroup *, gfp_t, size_t) = obj_cgroup_charge;
static void (*volatile uncharge_function)(struct obj_cgroup *, size_t) = obj_cgroup_uncharge;

static struct mem_cgroup *group;
static struct obj_cgroup *objcg;

static void enter(void)
{
	group = mem_cgroup_create(NULL, "charged");
	cr_assert(group);
	set_active_memcg(group);
	objcg = get_obj_cgroup_from_current();
}

static void leave(void)
{
	set_active_memcg(NULL);
	cr_assert_eq(mem_cgroup_verify(mem_cgroup_root(), NULL), 0);
	obj_cgroup_put(objcg);
	cr_assert_eq(mem_cgroup_rmdir(group), 0);
	mem_cgroup_put(group);
}

static uint64_t charged(void)
{
	struct mem_cgroup_stat stat = {.size = sizeof(stat)};

	cr_assert_eq(mem_cgroup_stat(group, &stat), 0);
	return stat.object_bytes;
}

static int64_t taken(void)
{
	return cgslab_stock_1->used;
}

TestSuite(charge_inline, .init = enter, .fini = leave);

Test(charge_inline, function_and_inline_mix)
{
	int64_t before = taken();

	cr_assert_eq(obj_cgroup_charge(objcg, GFP_KERNEL, SIZE), 0);
	cr_assert_eq(taken(), before + SIZE);
	cr_assert_eq(charge_function(objcg, GFP_KERNEL, SIZE), 0);
	cr_assert_eq(taken(), before + 2 * SIZE);
	cr_assert_eq(mem_cgroup_verify(group, NULL), 0);
	cr_assert_eq(charged(), 2 * SIZE);
	uncharge_function(objcg, SIZE);
	obj_cgroup_uncharge(objcg, SIZE);
	cr_assert_eq(taken(), before);
	cr_assert_eq(charged(), 0);
}

Test(charge_inline, works_from_cxx)
{
	int64_t before = taken();

	cr_assert_eq(charge_in_cxx(objcg, SIZE), 0);
	cr_assert_eq(taken(), before + SIZE);
	cr_assert_eq(charged(), SIZE);
	uncharge_in_cxx(objcg, SIZE);
	cr_assert_eq(charged(), 0);
}

Test(charge_inline, batches_are_drawn_and_returned)
{
	const unsigned long times = 50000; /* more than any stock holds */

	for (unsigned long i = 0; i < times; i++)
		cr_assert_eq(obj_cgroup_charge(objcg, GFP_KERNEL, SIZE), 0);
	cr_assert_eq(charged(), times * SIZE);
	cr_assert_geq(mem_cgroup_usage(group), times * SIZE);
	cr_assert_eq(mem_cgroup_verify(group, NULL), 0);
	for (unsigned long i = 0; i < times; i++)
		obj_cgroup_uncharge(objcg, SIZE);
	cr_assert_eq(charged(), 0);
	cr_assert_leq(mem_cgroup_usage(group), 256ul << 10);
}

Test(charge_inline, limit_holds)
{
	unsigned long times = 0;
	int err;

	mem_cgroup_set_max(group, 1 << 20);
	while (!(err = obj_cgroup_charge(objcg, GFP_KERNEL, SIZE)))
		times++;
	cr_assert_eq(err, -ENOMEM);
	cr_assert_eq(charged(), times * SIZE);
	cr_assert_gt(times * SIZE, (1ul << 20) - 4096 - SIZE);
	cr_assert_leq(mem_cgroup_usage(group), 1u << 20);
	while (times--)
		obj_cgroup_uncharge(objcg, SIZE);
	cr_assert_eq(charged(), 0);
}

/* A stock of another group, and sizes that no arithmetic may see. */
Test(charge_inline, what_is_not_short_takes_the_long_way)
{
	set_active_memcg(NULL);
	cr_assert_eq(obj_cgroup_charge(objcg, GFP_KERNEL, SIZE), 0);
	cr_assert_eq(charged(), SIZE);
	obj_cgroup_uncharge(objcg, SIZE);
	cr_assert_eq(charged(), 0);
	set_active_memcg(group);
	cr_assert_eq(obj_cgroup_charge(objcg, GFP_KERNEL, SIZE_MAX), -ENOMEM);
	cr_assert_eq(obj_cgroup_charge(objcg, GFP_KERNEL | __GFP_NOFAIL, SIZE_MAX / 2), -ENOMEM);
	cr_assert_eq(charged(), 0);
}
