/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>

#include "accounting/mem_cgroup.h"

#define THREADS 4

static struct mem_cgroup *outer, *inner;
static struct page_counter *fail;

static void make_two(void)
{
	outer = mem_cgroup_create(NULL, "outer");
	inner = mem_cgroup_create(outer, "inner");
	cr_assert(outer && inner);
}

static bool try_charge(struct mem_cgroup *memcg, int64_t pages)
{
	fail = NULL;
	return page_counter_try_charge(&memcg->memory, pages, &fail);
}

static int64_t usage(struct mem_cgroup *memcg)
{
	return memcg->memory.level->usage;
}

static int64_t peak(struct mem_cgroup *memcg)
{
	return memcg->memory.level->peak;
}

static void limit(struct mem_cgroup *memcg, int64_t pages)
{
	cr_assert_eq(mem_cgroup_set_max(memcg, (uint64_t)pages << 12), 0);
}

Test(page_counter, charges_all_ancestors_or_none, .init = make_two)
{
	int64_t before = usage(&root_memcg);

	limit(outer, 10);
	cr_assert(try_charge(inner, 7));
	cr_expect_eq(usage(inner), 7);
	cr_expect_eq(usage(outer), 7);
	cr_expect_eq(usage(&root_memcg), before + 7);

	cr_expect(!try_charge(inner, 4));
	cr_expect_eq(fail, &outer->memory);
	cr_expect_eq(usage(inner), 7);
	cr_expect_eq(usage(outer), 7);
	cr_expect_eq(outer->memory.level->failcnt, 1);
	cr_expect_eq(inner->memory.level->failcnt, 0);

	cr_expect(try_charge(inner, 3), "up to the limit");
	page_counter_uncharge(&inner->memory, 10);
	cr_expect_eq(usage(inner), 0);
	cr_expect_eq(usage(outer), 0);
	cr_expect_eq(usage(&root_memcg), before);
}

Test(page_counter, peak_is_the_highest_usage_there_was, .init = make_two)
{
	limit(outer, 10);
	cr_assert(try_charge(inner, 6));
	page_counter_uncharge(&inner->memory, 6);
	cr_assert(try_charge(inner, 2));
	cr_expect_eq(peak(inner), 6);
	cr_expect_eq(peak(outer), 6);
	/* What was refused above was never used below. */
	cr_expect(!try_charge(inner, 9));
	cr_expect_eq(peak(inner), 6, "%ld pages", (long)peak(inner));
	cr_expect_eq(peak(outer), 6);
	page_counter_uncharge(&inner->memory, 2);
}

Test(page_counter, root_has_no_limit, .init = make_two)
{
	root_memcg.memory.level->max = 0;
	cr_expect(try_charge(&root_memcg, 5));
	page_counter_uncharge(&root_memcg.memory, 5);
}

Test(page_counter, forced_charges_pass_the_limit, .init = make_two)
{
	limit(inner, 3);
	page_counter_charge(&inner->memory, 5);
	cr_expect_eq(usage(inner), 5);
	cr_expect_eq(peak(inner), 5);
	cr_expect(!try_charge(inner, 1));
	page_counter_uncharge(&inner->memory, 5);
}

Test(page_counter, margin_is_to_the_nearest_limit, .init = make_two)
{
	limit(inner, 20);
	limit(outer, 10);
	cr_assert(try_charge(inner, 4));
	cr_expect_eq(page_counter_margin(&inner->memory), 6);
	limit(inner, 5);
	cr_expect_eq(page_counter_margin(&inner->memory), 1);
	limit(inner, 2);
	cr_expect_eq(page_counter_margin(&inner->memory), -2, "usage may be above a new limit");
	page_counter_uncharge(&inner->memory, 4);
}

Test(page_counter, uncharging_too_much_dies, .init = make_two, .signal = SIGABRT)
{
	cr_assert(try_charge(inner, 1));
	page_counter_uncharge(&inner->memory, 2);
}

/* ---- Racing at the limit ------------------------------------------------ */

/* Charges pages one by one until there are none. */
static void *charge_all(void *arg)
{
	struct mem_cgroup *memcg = arg;
	struct page_counter *over;
	long charged = 0;

	while (page_counter_try_charge(&memcg->memory, 1, &over)) {
		charged++;
		if (READ_ONCE(memcg->memory.level->usage) > READ_ONCE(memcg->memory.level->max))
			return (void *)-1l;
	}
	return (void *)charged;
}

Test(page_counter, racing_charges_fill_a_limit_and_never_pass_it, .init = make_two)
{
	const int64_t max = 100000;

	limit(inner, max);
	for (int round = 0; round < 10; round++) {
		pthread_t threads[THREADS];
		long sum = 0;

		for (int i = 0; i < THREADS; i++)
			cr_assert_eq(pthread_create(&threads[i], NULL, charge_all, inner), 0);
		for (int i = 0; i < THREADS; i++) {
			void *charged;

			cr_assert_eq(pthread_join(threads[i], &charged), 0);
			cr_assert_geq((long)charged, 0, "usage was past the limit");
			sum += (long)charged;
		}
		cr_assert_eq(sum, max);
		cr_assert_eq(usage(inner), max);
		cr_assert_eq(peak(inner), max);
		page_counter_uncharge(&inner->memory, max);
	}
}

/* Charges @arg pages and gives them back; both of two fit, three do not. */
static void *charge_and_uncharge(void *arg)
{
	int64_t pages = (int64_t)arg;
	struct page_counter *over;
	long refused = 0;

	for (int i = 0; i < 200000; i++) {
		if (page_counter_try_charge(&inner->memory, pages, &over))
			page_counter_uncharge(&inner->memory, pages);
		else
			refused++;
	}
	return (void *)refused;
}

/* A charge that is refused must not stand in the way of one that fits. */
Test(page_counter, refused_charges_refuse_nobody_else, .init = make_two)
{
	pthread_t large, small;
	void *refused;

	limit(inner, 10);
	cr_assert_eq(pthread_create(&large, NULL, charge_and_uncharge, (void *)11), 0);
	cr_assert_eq(pthread_create(&small, NULL, charge_and_uncharge, (void *)10), 0);
	cr_assert_eq(pthread_join(large, &refused), 0);
	cr_expect_eq((long)refused, 200000);
	cr_assert_eq(pthread_join(small, &refused), 0);
	cr_expect_eq((long)refused, 0);
}
