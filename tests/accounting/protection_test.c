/* SPDX-License-Identifier: MIT */
/* memory.min and memory.low: what of them is in effect. */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>

#include <cgslab/slab.h>

#include "accounting/mem_cgroup.h"
#include "alloc/base/os.h"

#define MB 256 /* pages */

static struct mem_cgroup *a, *b, *c, *d, *e;

/* B with C, D and E below it, in A. */
static void make(void)
{
	a = mem_cgroup_create(NULL, "A");
	b = mem_cgroup_create(a, "B");
	c = mem_cgroup_create(b, "C");
	d = mem_cgroup_create(b, "D");
	e = mem_cgroup_create(b, "E");
	cr_assert(a && b && c && d && e);
}

static void charge(struct mem_cgroup *memcg, int64_t pages)
{
	page_counter_charge(&memcg->memory, pages);
}

static void uncharge(struct mem_cgroup *memcg, int64_t pages)
{
	page_counter_uncharge(&memcg->memory, pages);
}

static void set_min(struct mem_cgroup *memcg, uint64_t mb)
{
	cr_assert_eq(mem_cgroup_set_min(memcg, mb << 20), 0);
}

static void set_low(struct mem_cgroup *memcg, uint64_t mb)
{
	cr_assert_eq(mem_cgroup_set_low(memcg, mb << 20), 0);
}

/* As a walk of @root does. */
static void calculate(struct mem_cgroup *root)
{
	struct mem_cgroup *pos;

	for_each_memcg (pos, root)
		mem_cgroup_calculate_protection(root, pos);
}

static int64_t min_mb(struct mem_cgroup *memcg)
{
	return mem_cgroup_effective_min(memcg) / MB;
}

Test(protection, is_what_is_used_and_asked_for, .init = make)
{
	charge(c, 30 * MB);
	charge(d, 10 * MB);
	set_min(b, 100);
	set_min(c, 20);
	set_min(d, 20);
	cr_expect_eq(b->protection.children_min_usage, 30 * MB);
	cr_expect_eq(a->protection.children_min_usage, 40 * MB);
	uncharge(d, 5 * MB);
	cr_expect_eq(b->protection.children_min_usage, 25 * MB);
	set_min(c, 10);
	cr_expect_eq(b->protection.children_min_usage, 15 * MB);
	cr_expect_eq(b->protection.children_low_usage, 0);
	uncharge(c, 30 * MB);
	uncharge(d, 5 * MB);
	cr_expect_eq(b->protection.children_min_usage, 0);
}

/* The kernel's self-test: 50M for children that ask for 75M, 25M and nothing. */
Test(protection, siblings_share_what_the_parent_has, .init = make)
{
	charge(c, 50 * MB);
	charge(d, 50 * MB);
	charge(e, 50 * MB);
	set_min(b, 50);
	set_min(c, 75);
	set_min(d, 25);
	calculate(a);
	cr_expect_eq(min_mb(b), 50);
	cr_expect_eq(min_mb(c), 33);
	cr_expect_eq(min_mb(d), 16);
	cr_expect_eq(min_mb(e), 0);
	cr_expect_not(mem_cgroup_below_min(a, c));
	uncharge(c, 21 * MB);
	uncharge(d, 29 * MB);
	uncharge(e, 50 * MB);
	calculate(a); /* 29 and 21: now all is protected */
	cr_expect_eq(min_mb(c), 29);
	cr_expect_eq(min_mb(d), 21);
	cr_expect(mem_cgroup_below_min(a, b));
	cr_expect(mem_cgroup_below_min(a, c));
}

Test(protection, what_nobody_asks_for_protects_the_rest, .init = make)
{
	charge(c, 40 * MB);
	charge(d, 20 * MB);
	charge(e, 20 * MB);
	set_low(b, 60);
	set_low(c, 20);
	calculate(a);
	/* 40 are left for 20 of C and all of D and E. */
	cr_expect_eq(mem_cgroup_effective_low(c), 20 * MB + 40 * MB / 3);
	cr_expect_eq(mem_cgroup_effective_low(d), 40 * MB / 3);
	cr_expect_eq(mem_cgroup_effective_low(e), 40 * MB / 3);
	cr_expect_eq(min_mb(c), 0);
}

Test(protection, counts_from_what_is_reclaimed, .init = make)
{
	charge(c, 50 * MB);
	set_min(c, 20);
	calculate(a); /* B has none to share */
	cr_expect_eq(min_mb(c), 0);
	calculate(b); /* from within, what C asks for counts */
	cr_expect_eq(min_mb(c), 20);
	cr_expect_not(mem_cgroup_below_min(b, c));
	set_min(c, 500);
	calculate(c);
	cr_expect_not(mem_cgroup_below_min(c, c), "never what is reclaimed itself");
	cr_expect_not(mem_cgroup_below_low(c, c));
	cr_expect_eq(mem_cgroup_current(), process_memcg);
}

Test(protection, the_group_of_the_process_takes_none_away, .init = make)
{
	charge(a, 50 * MB);
	set_min(a, 20);
	calculate(&root_memcg);
	cr_expect_eq(min_mb(a), 20);
	mem_cgroup_calculate_protection(NULL, a);
	cr_expect_eq(min_mb(a), 20);
	set_min(process_memcg, 10);
	calculate(&root_memcg);
	cr_expect_eq(min_mb(a), 10);
	set_min(process_memcg, 0);
}

Test(protection, large_numbers_do_not_overflow, .init = make)
{
	charge(c, 1ll << 40);
	charge(d, 1ll << 40);
	cr_assert_eq(mem_cgroup_set_min(b, MEMCG_MAX), 0);
	cr_assert_eq(mem_cgroup_set_min(c, MEMCG_MAX), 0);
	calculate(a);
	cr_expect(mem_cgroup_below_min(a, b));
	cr_expect(mem_cgroup_below_min(a, c));
	cr_expect(mem_cgroup_below_min(a, d), "the rest is protected, too");
	cr_assert_eq(mem_cgroup_set_min(b, 1ull << 40), 0); /* 2^28 pages */
	calculate(a);
	cr_expect_eq(mem_cgroup_effective_min(c), 1 << 28);
}

Test(protection, a_removed_group_protects_nothing, .init = make)
{
	set_active_memcg(c);
	cr_assert_not_null(kmalloc(1 << 20, GFP_KERNEL));
	set_active_memcg(NULL);
	set_min(c, 10);
	set_low(c, 10);
	cr_expect_geq(b->protection.children_min_usage, MB);
	cr_assert_eq(mem_cgroup_rmdir(c), 0);
	cr_expect_eq(b->protection.children_min_usage, 0);
	cr_expect_eq(b->protection.children_low_usage, 0);
	cr_expect_eq(mem_cgroup_set_min(c, 1 << 20), -ENODEV);
	cr_expect_eq(b->protection.children_min_usage, 0);
}

/* ---- Many at once ------------------------------------------------------------- */

#define THREADS 4

static void *churn(void *arg)
{
	struct mem_cgroup *memcg = arg;

	for (int i = 0; i < 50000; i++) {
		charge(memcg, 1 + i % 7);
		if (i % 100 == 0)
			mem_cgroup_set_min(memcg, (uint64_t)(i % 3) << 14);
		uncharge(memcg, 1 + i % 7);
	}
	mem_cgroup_set_min(memcg, 1 << 14);
	return NULL;
}

Test(protection, sums_are_right_when_all_is_quiet, .init = make)
{
	struct mem_cgroup *const of[THREADS] = {c, c, d, d};
	pthread_t threads[THREADS];

	charge(c, 3);
	charge(d, 100);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, churn, of[i]);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	cr_expect_eq(c->protection.min_usage, 3);
	cr_expect_eq(d->protection.min_usage, 4);
	cr_expect_eq(b->protection.children_min_usage, 7);
}
