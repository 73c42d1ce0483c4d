/* SPDX-License-Identifier: MIT */
/* memory.reclaim, and the same asked for from outside; with a reclaim of the test's. */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cgslab/memcg.h>
#include <cgslab/slab.h>

#include "accounting/control.h"
#include "accounting/mem_cgroup.h"
#include "accounting/reclaim_ops.h"

#define BLOCK (128ul << 10)
#define PAGES (BLOCK >> 12)

static struct mem_cgroup *memcg;
static void *cache[256];
static int nr_cached, calls, step;
static bool false_hope; /* says that it has freed something */

static void fill(int nr)
{
	struct mem_cgroup *old = set_active_memcg(memcg);

	for (; nr; nr--)
		cr_assert(cache[nr_cached++] = kmalloc(BLOCK, GFP_KERNEL));
	set_active_memcg(old);
}

/* Never more than @step blocks. */
static int64_t free_cached(struct mem_cgroup *of, int64_t pages, gfp_t gfp)
{
	int64_t freed = 0;

	cr_assert_eq(of, memcg);
	cr_assert(gfp & __GFP_DIRECT_RECLAIM);
	calls++;
	for (int i = 0; i < step && nr_cached && freed < pages; i++, freed += PAGES)
		kfree(cache[--nr_cached]);
	return freed || !false_hope ? freed : 1;
}

static void make(void)
{
	memcg = mem_cgroup_create(NULL, "reclaim");
	cr_assert_not_null(memcg);
	reclaim_ops.try_to_free = free_cached;
	step = 1;
	fill(64);
}

static void unmake(void)
{
	reclaim_ops.try_to_free = NULL;
}

Test(reclaim, until_the_goal_is_met, .init = make, .fini = unmake)
{
	cr_expect_eq(mem_cgroup_reclaim(memcg, 10 * BLOCK), 0);
	cr_expect_eq(mem_cgroup_usage(memcg), 54 * BLOCK);
	cr_expect_eq(calls, 10);
	step = 100;
	cr_expect_eq(mem_cgroup_reclaim(memcg, 20 * BLOCK), 0);
	cr_expect_eq(mem_cgroup_usage(memcg), 34 * BLOCK);
	cr_expect_eq(calls, 11);
	cr_expect_eq(mem_cgroup_reclaim(memcg, 4095), 0, "less than a page");
	cr_expect_eq(mem_cgroup_reclaim(memcg, 0), 0);
	cr_expect_eq(calls, 11);
}

Test(reclaim, fails_if_there_is_less, .init = make, .fini = unmake)
{
	step = 100;
	cr_expect_eq(mem_cgroup_reclaim(memcg, 65 * BLOCK), -EAGAIN);
	cr_expect_eq(mem_cgroup_usage(memcg), 0);
	cr_expect_leq(calls, 2 + RECLAIM_USELESS);
	calls = 0;
	cr_expect_eq(mem_cgroup_reclaim(memcg, MEMCG_MAX), -EAGAIN);
	cr_expect_leq(calls, 1 + RECLAIM_USELESS);
	calls = 0;
	false_hope = true; /* objects without pages: there is an end to that too */
	cr_expect_eq(mem_cgroup_reclaim(memcg, BLOCK), -EAGAIN);
	cr_expect_leq(calls, 1 + RECLAIM_USELESS);
}

Test(reclaim, by_the_file, .init = make, .fini = unmake)
{
	char text[16];

	cr_expect_eq(mem_cgroup_write(memcg, "memory.reclaim", "2M\n"), 0);
	cr_expect_eq(mem_cgroup_usage(memcg), 48 * BLOCK);
	cr_expect_eq(mem_cgroup_write(memcg, "memory.reclaim", "1M swappiness=60"), -EINVAL);
	cr_expect_eq(mem_cgroup_write(memcg, "memory.reclaim", ""), -EINVAL);
	cr_expect_eq(mem_cgroup_usage(memcg), 48 * BLOCK);
	cr_expect_eq(mem_cgroup_write(memcg, "memory.reclaim", "1G"), -EAGAIN);
	cr_expect_eq(mem_cgroup_read(memcg, "memory.reclaim", text, sizeof(text)), -EACCES);
}

Test(reclaim, where_no_callback_may_run, .init = make, .fini = unmake)
{
	unsigned int flags = memalloc_noreclaim_save();

	cr_expect_eq(mem_cgroup_reclaim(memcg, BLOCK), -EAGAIN);
	memalloc_noreclaim_restore(flags);
	rcu_read_lock();
	cr_expect_eq(mem_cgroup_reclaim(memcg, BLOCK), -EAGAIN);
	rcu_read_unlock();
	cr_expect_eq(calls, 0);
	reclaim_ops.try_to_free = NULL;
	cr_expect_eq(mem_cgroup_reclaim(memcg, BLOCK), -EAGAIN);
}

/* What is charged and in nobody's hands goes first, and may be enough. */
Test(reclaim, stocks_first)
{
	void *block;

	memcg = mem_cgroup_create(NULL, "stocks");
	set_active_memcg(memcg);
	block = kmalloc(64, GFP_KERNEL);
	cr_assert_gt(mem_cgroup_usage(memcg), 4096);
	cr_expect_eq(mem_cgroup_reclaim(memcg, mem_cgroup_usage(memcg) - 4096), 0);
	cr_expect_eq(mem_cgroup_usage(memcg), 4096);
	kfree(block);
}

Test(reclaim, of_a_removed_group, .init = make, .fini = unmake)
{
	cr_assert_eq(mem_cgroup_rmdir(memcg), 0);
	cr_expect_eq(mem_cgroup_reclaim(memcg, BLOCK), -ENODEV);
	cr_expect_eq(calls, 0);
}

/* ---- From outside --------------------------------------------------------------- */

/* As the command does it. */
static void ask(struct mem_cgroup *of, uint64_t ticket, uint64_t pages)
{
	uint64_t none = 0;

	cr_assert(cmpxchg_acq_rel(&of->memory.record->request, &none, control_word(ticket, pages)));
	__atomic_add_fetch(&counters_header()->requests, 1, __ATOMIC_RELEASE);
}

static void expect_reply(uint64_t ticket, uint64_t value)
{
	cr_expect_eq(load_acquire(&memcg->memory.record->reply), control_word(ticket, value));
	cr_expect_eq(memcg->memory.record->request, 0);
}

Test(control, reclaim_is_asked_for, .init = make, .fini = unmake)
{
	cr_expect_not(control_pending());
	ask(memcg, 7, 10 * PAGES);
	cr_expect(control_pending());
	control_run(GFP_KERNEL);
	cr_expect_not(control_pending());
	expect_reply(7, 0);
	cr_expect_eq(mem_cgroup_usage(memcg), 54 * BLOCK);
	ask(memcg, 8, 100 * PAGES);
	control_run(GFP_NOFS);
	expect_reply(8, EAGAIN);
	cr_expect_eq(mem_cgroup_usage(memcg), 0);
}

Test(control, limits_are_met, .init = make, .fini = unmake)
{
	struct counters_record *record = memcg->memory.record;

	WRITE_ONCE(record->memory.max, 50 * (int64_t)PAGES);
	ask(memcg, 9, CONTROL_MEET_LIMITS);
	control_run(GFP_KERNEL);
	expect_reply(9, 0);
	cr_expect_eq(mem_cgroup_usage(memcg), 50 * BLOCK);
	WRITE_ONCE(record->memory.high, 30 * (int64_t)PAGES);
	ask(memcg, 10, CONTROL_MEET_LIMITS);
	control_run(GFP_KERNEL);
	expect_reply(10, 0);
	cr_expect_eq(mem_cgroup_usage(memcg), 30 * BLOCK);
}

Test(control, where_no_callback_may_run, .init = make, .fini = unmake)
{
	unsigned int flags;

	ask(memcg, 7, 10 * PAGES);
	control_run(GFP_NOWAIT);
	flags = memalloc_noreclaim_save();
	control_run(GFP_KERNEL);
	memalloc_noreclaim_restore(flags);
	rcu_read_lock();
	control_run(GFP_KERNEL);
	rcu_read_unlock();
	cr_expect(control_pending());
	cr_expect_eq(mem_cgroup_usage(memcg), 64 * BLOCK);
	control_run(GFP_KERNEL);
	expect_reply(7, 0);
}

static int64_t free_and_ask_again(struct mem_cgroup *of, int64_t pages, gfp_t gfp)
{
	if (calls == 0)
		ask(memcg, 8, 10 * PAGES);
	control_run(GFP_KERNEL); /* another thread's slow path */
	return free_cached(of, pages, gfp);
}

/* Limits that were written are met with any request. */
Test(control, limits_are_met_with_a_request, .init = make, .fini = unmake)
{
	struct counters_record *record = memcg->memory.record;

	WRITE_ONCE(record->memory.max, 50 * (int64_t)PAGES);
	ask(memcg, 9, 10 * PAGES);
	control_run(GFP_KERNEL);
	expect_reply(9, 0);
	cr_expect_eq(mem_cgroup_usage(memcg), 40 * BLOCK);
}

/* Protection that was written counts without another charge. */
Test(control, protection_is_taken_note_of, .init = make, .fini = unmake)
{
	WRITE_ONCE(memcg->memory.record->min, 20 * (int64_t)PAGES);
	WRITE_ONCE(memcg->memory.record->low, 30 * (int64_t)PAGES);
	ask(memcg, 9, CONTROL_MEET_LIMITS);
	control_run(GFP_KERNEL);
	cr_expect_eq(memcg->parent->protection.children_min_usage, 20 * (int64_t)PAGES);
	cr_expect_eq(memcg->parent->protection.children_low_usage, 30 * (int64_t)PAGES);
	mem_cgroup_calculate_protection(mem_cgroup_root(), memcg->parent);
	mem_cgroup_calculate_protection(mem_cgroup_root(), memcg);
	cr_expect_eq(mem_cgroup_effective_low(memcg), 30 * (int64_t)PAGES);
	cr_expect_eq(mem_cgroup_usage(memcg), 64 * BLOCK);
}

/* What comes while a request is worked on is not forgotten. */
Test(control, requests_meanwhile, .init = make, .fini = unmake)
{
	reclaim_ops.try_to_free = free_and_ask_again;
	ask(memcg, 7, 10 * PAGES);
	control_run(GFP_KERNEL);
	cr_expect_not(control_pending());
	expect_reply(8, 0);
	cr_expect_eq(mem_cgroup_usage(memcg), 44 * BLOCK);
}

/* A word that no command has written: without a ticket. */
Test(control, garbage, .init = make, .fini = unmake)
{
	memcg->memory.record->request = 12345;
	counters_header()->requests += 5;
	control_run(GFP_KERNEL);
	cr_expect_not(control_pending());
	cr_expect_eq(memcg->memory.record->reply, 0);
	cr_expect_eq(calls, 0);
}

Test(control, a_forked_child_was_not_asked, .init = make, .fini = unmake)
{
	int status;
	pid_t pid;

	ask(memcg, 7, 10 * PAGES);
	pid = fork();
	if (pid == 0) {
		control_run(GFP_KERNEL);
		_exit(control_pending() || calls || memcg->memory.record->reply);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect_eq(status, 0);
	cr_expect(control_pending());
	control_run(GFP_KERNEL);
	expect_reply(7, 0);
}
