/* SPDX-License-Identifier: MIT */
#include "shrinker/reclaim_thread.h"

#include <cgslab/slab.h>
#include <criterion/criterion.h>
#include <dirent.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "accounting/obj_stock.h"
#include "alloc/base/os.h"
#include "shrinker/reclaim.h"
#include "tests/shrinker/cg.h"
#include "tests/shrinker/hoard.h"
#include "tests/slab/child.h"

#define GROUPS	  100 /* more than it has places for */
#define LONG_MS	  5000
#define SHORT_MS  100
#define MARGIN_MS 200 /* of a busy machine */

static struct mem_cgroup *memcg;
static struct hoard *hoard;

static void begin(void)
{
	hoards_begin(0);
	memcg = cg_create(NULL, "memcg");
	hoard = hoard_create(memcg);
	cr_assert_eq(hoard_fill(hoard, MB(10), GFP_KERNEL), MB(10));
}

static void begin_safe(void)
{
	hoards_begin(SHRINKER_MALLOC_SAFE);
	memcg = cg_create(NULL, "memcg");
	hoard = hoard_create(memcg);
	cr_assert_eq(hoard_fill(hoard, MB(10), GFP_KERNEL), MB(10));
}

static void end(void)
{
	hoard_destroy(hoard);
	cg_destroy(memcg);
	hoards_end();
	cr_expect_eq(mem_cgroup_verify(mem_cgroup_root(), NULL), 0);
}

/* Sets it and does nothing about it. */
static void set_high(struct mem_cgroup *group, uint64_t bytes)
{
	WRITE_ONCE(group->memory.level->high, (int64_t)(bytes >> PAGE_SHIFT));
}

static bool falls_to(struct mem_cgroup *group, uint64_t bytes)
{
	uint64_t end_ms = os_clock_ms() + LONG_MS;

	while (mem_cgroup_usage(group) > bytes && os_clock_ms() < end_ms)
		os_sleep_us(1000);
	return mem_cgroup_usage(group) <= bytes;
}

static bool is_reclaim_thread(const char *task)
{
	char path[64], name[32] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%.20s/comm", task);
	file = fopen(path, "r");
	if (!file || !fgets(name, sizeof(name), file))
		name[0] = 0;
	if (file)
		fclose(file);
	return !strcmp(name, "cgslab-reclaim\n");
}

/* Threads of that kind. */
static unsigned int threads(void)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;
	unsigned int n = 0;

	while ((entry = readdir(dir)))
		n += is_reclaim_thread(entry->d_name);
	closedir(dir);
	return n;
}

/* ---- memory.high ----------------------------------------------------------------- */

Test(reclaim_thread, brings_a_group_below_its_high, .init = begin, .fini = end)
{
	cr_expect_eq(threads(), 0, "none that is not needed");
	set_high(memcg, MB(4));
	reclaim_thread_high(memcg);
	cr_expect(falls_to(memcg, MB(4)), "%" PRIu64, cg_current(memcg));
	cr_expect_geq(cg_current(memcg), MB(4) - MB(1), "and no further");
	cr_expect(!hoards_scanned_by_me());
	cr_expect_eq(threads(), 1);
	hoard_fill(hoard, MB(2), GFP_NOWAIT);
	reclaim_thread_high(memcg);
	cr_expect(falls_to(memcg, MB(4)), "again");
	cr_expect_eq(threads(), 1);
}

/* Nobody has to call twice, even if there are more than it can keep in mind. */
Test(reclaim_thread, sees_to_all_groups, .init = begin, .fini = end)
{
	struct mem_cgroup *groups[GROUPS];
	struct hoard *hoards[GROUPS];
	char name[24];

	for (int i = 0; i < GROUPS; i++) {
		snprintf(name, sizeof(name), "group-%d", i);
		groups[i] = cg_create(memcg, name);
		hoards[i] = hoard_create(groups[i]);
		hoard_fill(hoards[i], MB(1), GFP_KERNEL);
		set_high(groups[i], MB(1) / 2);
	}
	for (int i = 0; i < GROUPS; i++)
		reclaim_thread_high(groups[i]);
	for (int i = 0; i < GROUPS; i++) {
		cr_expect(falls_to(groups[i], MB(1) / 2), "%d: %" PRIu64, i, cg_current(groups[i]));
		hoard_destroy(hoards[i]);
		cg_destroy(groups[i]);
	}
}

static uint64_t cpu_ms(void)
{
	struct timespec time;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

/* A group that has nothing to give is not asked all the time, also if it is told of so. */
Test(reclaim_thread, leaves_the_hopeless_alone, .init = begin, .fini = end)
{
	struct pinned *pinned = NULL;
	uint64_t before, end_ms;

	pin(memcg, MB(8), GFP_KERNEL, &pinned);
	set_high(memcg, MB(4));
	reclaim_thread_high(memcg);
	end_ms = os_clock_ms() + LONG_MS;
	while (hoard_objects(hoard) && os_clock_ms() < end_ms)
		os_sleep_us(1000);
	cr_expect_eq(hoard_objects(hoard), 0);
	before = cpu_ms();
	for (int i = 0; i < 500; i++) {
		reclaim_thread_high(memcg);
		os_sleep_us(1000);
	}
	cr_expect_leq(cpu_ms() - before, 100, "%" PRIu64 " ms", cpu_ms() - before);
	unpin(&pinned);
}

/* What it is to see to may be removed at any time, and is gone at once. */
Test(reclaim_thread, does_not_hold_groups_up, .init = begin, .fini = end)
{
	for (int i = 0; i < 50; i++) {
		struct mem_cgroup *group = cg_create(memcg, "group");
		struct pinned *pinned = NULL;

		pin(group, MB(1) / 4, GFP_KERNEL, &pinned);
		set_high(group, 0);
		reclaim_thread_high(group);
		unpin(&pinned);
		if (i % 2)
			os_sleep_us(100);
		cg_destroy(group);
	}
	for (int i = 0; i < LONG_MS && mem_cgroup_nr_dying_descendants(memcg); i++)
		os_sleep_us(1000); /* it may be at one of them */
	cr_expect_eq(mem_cgroup_nr_dying_descendants(memcg), 0);
}

/* ---- For those that may not run callbacks ------------------------------------------- */

Test(reclaim_thread, runs_what_malloc_may_not, .init = begin, .fini = end)
{
	int64_t freed;

	memcg_drain_stocks(memcg);
	freed = try_to_free_mem_cgroup_pages(memcg, 100, GFP_NOFS);
	cr_expect_geq(freed, 100);
	cr_expect_lt(freed, 400);
	cr_expect(!hoards_scanned_by_me());
}

Test(reclaim_thread, is_not_needed_for_safe_shrinkers, .init = begin_safe, .fini = end)
{
	memcg_drain_stocks(memcg);
	cr_expect_geq(try_to_free_mem_cgroup_pages(memcg, 100, GFP_NOFS), 100);
	cr_expect(hoards_scanned_by_me());
	cr_expect_eq(threads(), 0);
}

static uint64_t time_of_a_call(int64_t *freed)
{
	uint64_t start = os_clock_ms();

	*freed = try_to_free_mem_cgroup_pages(memcg, 100, GFP_NOFS);
	return os_clock_ms() - start;
}

/* The caller has the lock that the callback wants: it must not wait for that for ever. */
Test(reclaim_thread, is_waited_for_within_bounds, .init = begin, .fini = end)
{
	int64_t freed;
	uint64_t ms;

	memcg_drain_stocks(memcg);
	hoards_lock();
	ms = time_of_a_call(&freed);
	cr_expect_eq(freed, 0);
	cr_expect(ms >= SHORT_MS / 2 && ms <= SHORT_MS + MARGIN_MS, "%" PRIu64 " ms", ms);
	for (int i = 0; i < 5; i++) {
		ms = time_of_a_call(&freed);
		cr_expect_lt(ms, SHORT_MS, "it is known to be stuck: %" PRIu64 " ms", ms);
	}
	hoards_unlock();
	for (int i = 0; i < 20 && freed < 100; i++)
		time_of_a_call(&freed);
	cr_expect_geq(freed, 100, "it goes on");
}

/* The same from within malloc(), to the end. */
Test(reclaim_thread, saves_an_allocation_from_refusal, .init = begin, .fini = end)
{
	struct pinned *pinned = NULL;

	cg_write(memcg, "memory.max", "11M");
	cr_expect_eq(pin(memcg, MB(8), GFP_NOFS, &pinned), MB(8));
	cr_expect(!hoards_scanned_by_me());
	cr_expect_leq(cg_current(memcg), MB(11));
	cr_expect_eq(cg_read_key(memcg, "memory.events", "oom"), 0);
	unpin(&pinned);
}

/* ---- fork ------------------------------------------------------------------------------ */

static void in_child(void)
{
	CHILD_CHECK(threads() == 0);
	set_high(memcg, MB(2));
	for (int i = 0; i < LONG_MS && mem_cgroup_usage(memcg) > MB(2); i++) {
		reclaim_thread_high(memcg); /* the first ones may be too early for a thread */
		os_sleep_us(1000);
	}
	CHILD_CHECK(mem_cgroup_usage(memcg) <= MB(2));
	child_verify();
}

Test(reclaim_thread, a_child_has_its_own, .init = begin, .fini = end)
{
	set_high(memcg, MB(4));
	reclaim_thread_high(memcg);
	cr_expect(falls_to(memcg, MB(4)));
	cr_expect_eq(child_run(fork, in_child), 0);
	set_high(memcg, MB(1));
	reclaim_thread_high(memcg);
	cr_expect(falls_to(memcg, MB(1)), "the parent's is still there");
}

/* It forks where it looks for work, and has just some. */
static void only_verify(void)
{
	child_verify();
}

Test(reclaim_thread, forks_while_it_works, .init = begin, .fini = end)
{
	for (int i = 0; i < 30; i++) {
		hoard_fill(hoard, MB(2), GFP_NOWAIT);
		set_high(memcg, MB(2));
		reclaim_thread_high(memcg);
		cr_assert_eq(child_run(fork, only_verify), 0);
	}
	cr_expect(falls_to(memcg, MB(2)));
}

/* ---- The end ----------------------------------------------------------------------------- */

static void *start_and_end(void *arg)
{
	set_high(memcg, MB(4));
	reclaim_thread_high(memcg);
	falls_to(memcg, MB(4));
	return arg;
}

static void end_by_threads(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, start_and_end, NULL);
	pthread_detach(thread);
	pthread_exit(NULL);
}

/* A process ends with its last thread, and this is none of its. */
Test(reclaim_thread, does_not_keep_the_process, .init = begin, .fini = end)
{
	cr_expect_eq(child_run(fork, end_by_threads), 0);
}
