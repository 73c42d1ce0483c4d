/* SPDX-License-Identifier: MIT */
/* Children made behind the library's back: its handlers of fork() do not run. */
#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cgslab/slab.h>

#include "tests/slab/child.h"

#define CHARGE (1ul << 20)
#define BLOCKS 2000

static struct mem_cgroup *memcg;
static struct obj_cgroup *objcg;
static void *blocks[BLOCKS];

static pid_t clone_plain(void)
{
	return (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
}

static void fill(void)
{
	memcg = mem_cgroup_create(NULL, "raw");
	set_active_memcg(memcg);
	for (int i = 0; i < BLOCKS; i++) {
		blocks[i] = kmalloc(600, GFP_KERNEL);
		cr_assert_not_null(blocks[i]);
		memset(blocks[i], i, 600);
	}
	objcg = get_obj_cgroup_from_current();
	cr_assert_eq(obj_cgroup_charge(objcg, GFP_KERNEL, CHARGE), 0);
}

/* Runs @fn in both kinds of children, and sees that the parent does not notice. */
static void run_unnoticed(void (*fn)(void))
{
	struct mem_cgroup_identity before, after;

	cr_assert_eq(mem_cgroup_verify(memcg, &before), 0);
	cr_expect_eq(child_run(_Fork, fn), 0, "after _Fork()");
	cr_expect_eq(child_run(clone_plain, fn), 0, "after clone()");
	cr_expect_eq(mem_cgroup_verify(memcg, &after), 0);
	cr_expect_eq(memcmp(&before, &after, sizeof(before)), 0);
	for (int i = 0; i < BLOCKS; i++)
		cr_expect_eq(*(unsigned char *)blocks[i], (unsigned char)i);
}

static void allocate(void)
{
	uint64_t usage = mem_cgroup_usage(memcg);

	for (int i = 0; i < BLOCKS; i++)
		CHILD_CHECK(kmalloc(1000, GFP_KERNEL));
	CHILD_CHECK(mem_cgroup_usage(memcg) >= usage + BLOCKS * 1000);
	child_verify();
}

static void free_blocks(void)
{
	for (int i = 0; i < BLOCKS; i++)
		kfree(blocks[i]);
	child_verify();
}

static void uncharge(void)
{
	uint64_t usage = mem_cgroup_usage(memcg);

	obj_cgroup_uncharge(objcg, CHARGE);
	CHILD_CHECK(mem_cgroup_usage(memcg) < usage);
	child_verify();
}

static void make_group(void)
{
	struct mem_cgroup *child = mem_cgroup_create(memcg, "child");
	void *block;

	CHILD_CHECK(child);
	set_active_memcg(child);
	block = kmalloc(100000, GFP_KERNEL);
	CHILD_CHECK(block);
	set_active_memcg(NULL);
	CHILD_CHECK(!mem_cgroup_rmdir(child));
	mem_cgroup_put(child);
	kfree(block);
	child_verify();
}

static void hit_limit(void)
{
	mem_cgroup_set_max(memcg, mem_cgroup_usage(memcg));
	for (int i = 0; i < BLOCKS; i++)
		if (!kmalloc(1000, GFP_KERNEL))
			break;
	CHILD_CHECK(mem_cgroup_event(memcg, MEMCG_EVENT_OOM) == 1);
	child_verify();
}

Test(raw_fork, child_allocates, .init = fill)
{
	run_unnoticed(allocate);
}

Test(raw_fork, child_frees, .init = fill)
{
	run_unnoticed(free_blocks);
}

Test(raw_fork, child_uncharges_by_hand, .init = fill)
{
	run_unnoticed(uncharge);
}

Test(raw_fork, child_makes_and_removes_a_group, .init = fill)
{
	run_unnoticed(make_group);
}

Test(raw_fork, child_sets_and_hits_a_limit, .init = fill)
{
	run_unnoticed(hit_limit);
	cr_expect_eq(mem_cgroup_max(memcg), MEMCG_MAX);
}

/* Its end does not matter: it may stop for want of counters, but not use the parent's. */
static void free_blocks_somehow(void)
{
	for (int i = 0; i < BLOCKS; i++)
		kfree(blocks[i]);
}

/* With handlers and without. */
Test(raw_fork, child_without_memory_leaves_the_parent_alone, .init = fill)
{
	const struct rlimit little = {1 << 20, RLIM_INFINITY};
	const struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
	struct mem_cgroup_identity before, after;

	cr_assert_eq(mem_cgroup_verify(memcg, &before), 0);
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(setrlimit(RLIMIT_AS, &little), 0);
		child_run(i ? fork : clone_plain, free_blocks_somehow);
		cr_assert_eq(setrlimit(RLIMIT_AS, &all), 0);
		cr_expect_eq(mem_cgroup_verify(memcg, &after), 0);
		cr_expect_eq(memcmp(&before, &after, sizeof(before)), 0);
	}
}
