/* SPDX-License-Identifier: MIT */
/* memory.peak, of the group and of each reader. */
#include <criterion/criterion.h>
#include <pthread.h>

#include <cgslab/memcg.h>
#include <cgslab/slab.h>

#include "accounting/mem_cgroup.h"

#define MIB (1ul << 20)

static struct mem_cgroup *memcg;

static void make(void)
{
	memcg = mem_cgroup_create(NULL, "peak");
	cr_assert_not_null(memcg);
	set_active_memcg(memcg);
}

static void rise_to(size_t bytes)
{
	void *block = kmalloc(bytes, GFP_KERNEL);

	cr_assert_not_null(block);
	kfree(block);
}

Test(peak, the_file_is_reset_by_a_write, .init = make)
{
	void *block;

	rise_to(8 * MIB);
	cr_expect_eq(mem_cgroup_peak(memcg), 8 * MIB);
	cr_assert_eq(mem_cgroup_write(memcg, "memory.peak", "reset"), 0);
	cr_expect_eq(mem_cgroup_peak(memcg), 0);
	rise_to(2 * MIB);
	cr_expect_eq(mem_cgroup_peak(memcg), 2 * MIB);
	block = kmalloc(MIB, GFP_KERNEL);
	mem_cgroup_reset_peak(memcg);
	cr_expect_eq(mem_cgroup_peak(memcg), MIB, "what is in use is the least");
	kfree(block);
	cr_expect_eq(mem_cgroup_peak(memcg), MIB);
}

Test(peak, a_reader_begins_anew_for_itself, .init = make)
{
	struct mem_cgroup_peak *a = mem_cgroup_peak_open(memcg);
	struct mem_cgroup_peak *b = mem_cgroup_peak_open(memcg);

	rise_to(8 * MIB);
	cr_expect_eq(mem_cgroup_peak_read(a), 8 * MIB, "the group's, until it is reset");
	mem_cgroup_peak_reset(a);
	cr_expect_eq(mem_cgroup_peak_read(a), 0);
	cr_expect_eq(mem_cgroup_peak_read(b), 8 * MIB);
	cr_expect_eq(mem_cgroup_peak(memcg), 8 * MIB);
	rise_to(4 * MIB);
	cr_expect_eq(mem_cgroup_peak_read(a), 4 * MIB);
	mem_cgroup_peak_reset(b);
	cr_expect_eq(mem_cgroup_peak_read(b), 0);
	cr_expect_eq(mem_cgroup_peak_read(a), 4 * MIB, "another's reset takes nothing away");
	rise_to(2 * MIB);
	cr_expect_eq(mem_cgroup_peak_read(b), 2 * MIB);
	cr_expect_eq(mem_cgroup_peak_read(a), 4 * MIB);
	mem_cgroup_peak_reset(a);
	cr_expect_eq(mem_cgroup_peak_read(a), 0);
	cr_expect_eq(mem_cgroup_peak_read(b), 2 * MIB);
	cr_expect_eq(mem_cgroup_peak(memcg), 8 * MIB);
	mem_cgroup_peak_close(a);
	mem_cgroup_peak_close(b);
}

Test(peak, the_file_s_reset_leaves_readers_alone, .init = make)
{
	struct mem_cgroup_peak *a = mem_cgroup_peak_open(memcg);

	mem_cgroup_peak_reset(a);
	rise_to(4 * MIB);
	mem_cgroup_reset_peak(memcg);
	cr_expect_eq(mem_cgroup_peak_read(a), 4 * MIB);
	cr_expect_eq(mem_cgroup_peak(memcg), 0);
	rise_to(2 * MIB);
	cr_expect_eq(mem_cgroup_peak_read(a), 4 * MIB);
	cr_expect_eq(mem_cgroup_peak(memcg), 2 * MIB, "below what a reader has seen");
	mem_cgroup_peak_close(a);
}

Test(peak, a_reader_outlives_the_group, .init = make)
{
	struct mem_cgroup_peak *a = mem_cgroup_peak_open(memcg);

	rise_to(2 * MIB);
	set_active_memcg(NULL);
	cr_assert_eq(mem_cgroup_rmdir(memcg), 0);
	mem_cgroup_put(memcg);
	rcu_barrier();
	cr_expect_eq(mem_cgroup_peak_read(a), 2 * MIB);
	mem_cgroup_peak_reset(a);
	mem_cgroup_peak_close(a);
	mem_cgroup_peak_close(NULL);
}

#define ROUNDS 20000

static bool done;

static void *reset_all_the_time(void *arg)
{
	struct mem_cgroup_peak *own = mem_cgroup_peak_open(memcg);

	(void)arg;
	while (!READ_ONCE(done)) {
		mem_cgroup_peak_reset(own);
		mem_cgroup_reset_peak(memcg);
	}
	mem_cgroup_peak_close(own);
	return NULL;
}

/* However often others reset, a reader misses nothing, and never sees less than before. */
Test(peak, resets_race_with_charges, .init = make)
{
	struct mem_cgroup_peak *a = mem_cgroup_peak_open(memcg);
	pthread_t thread;
	uint64_t last = 0;

	cr_assert_eq(pthread_create(&thread, NULL, reset_all_the_time, NULL), 0);
	mem_cgroup_peak_reset(a);
	for (int i = 1; i <= ROUNDS; i++) {
		uint64_t now;

		page_counter_charge(&memcg->memory, i);
		page_counter_uncharge(&memcg->memory, i);
		now = mem_cgroup_peak_read(a);
		cr_assert_geq(now, (uint64_t)i << 12, "missed the peak of round %d", i);
		cr_assert_geq(now, last);
		last = now;
	}
	WRITE_ONCE(done, true);
	pthread_join(thread, NULL);
	mem_cgroup_peak_close(a);
	page_counter_charge(&memcg->memory, ROUNDS + 1);
	cr_expect_eq(mem_cgroup_peak(memcg), (uint64_t)(ROUNDS + 1) << 12);
	page_counter_uncharge(&memcg->memory, ROUNDS + 1);
}
