/* SPDX-License-Identifier: MIT */
/* Groups: making, naming, finding and removing them. */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <cgslab/slab.h>

#include "accounting/counters.h"
#include "accounting/mem_cgroup.h"
#include "alloc/base/rcu.h"

static struct mem_cgroup *make(struct mem_cgroup *parent, const char *name)
{
	struct mem_cgroup *memcg = mem_cgroup_create(parent, name);

	cr_assert_not_null(memcg, "group '%s': errno %d", name, errno);
	return memcg;
}

static void expect_refused(struct mem_cgroup *parent, const char *name, int err)
{
	errno = 0;
	cr_expect_null(mem_cgroup_create(parent, name), "'%s'", name);
	cr_expect_eq(errno, err, "'%s': errno %d", name, errno);
}

static void expect_path(struct mem_cgroup *memcg, const char *path)
{
	char buf[256];

	cr_expect_eq(mem_cgroup_path(memcg, buf, sizeof(buf)), strlen(path));
	cr_expect_str_eq(buf, path);
}

Test(mem_cgroup, root_is_always_there)
{
	struct mem_cgroup *root = mem_cgroup_root();

	cr_expect_eq(mem_cgroup_id(root), 1);
	cr_expect_str_eq(mem_cgroup_name(root), "");
	cr_expect_null(mem_cgroup_parent(root));
	cr_expect_eq(mem_cgroup_rmdir(root), -EINVAL);
	cr_expect_eq(mem_cgroup_set_max(root, 1 << 20), -EINVAL);
	cr_expect_eq(mem_cgroup_max(root), MEMCG_MAX);
	expect_path(root, "/");
}

Test(mem_cgroup, names)
{
	struct mem_cgroup *root = mem_cgroup_root();
	char longest[MEMCG_NAME_MAX + 2];

	memset(longest, 'x', sizeof(longest));
	longest[MEMCG_NAME_MAX] = '\0';
	cr_expect_str_eq(mem_cgroup_name(make(root, longest)), longest);
	longest[MEMCG_NAME_MAX] = 'x';
	longest[MEMCG_NAME_MAX + 1] = '\0';
	expect_refused(root, longest, EINVAL);
	expect_refused(root, "", EINVAL);
	expect_refused(root, ".", EINVAL);
	expect_refused(root, "..", EINVAL);
	expect_refused(root, "a/b", EINVAL);
	expect_refused(root, "/", EINVAL);
	expect_refused(root, "a\nb", EINVAL);
	expect_refused(root, "\x7f", EINVAL);
	expect_refused(root, NULL, EINVAL);
	make(root, "...");
	make(root, "a b");
	make(root, "gr\xc3\xb6\xc3\x9f"
		   "e");
}

Test(mem_cgroup, names_are_unique_among_siblings)
{
	struct mem_cgroup *a = make(NULL, "a");

	expect_refused(NULL, "a", EEXIST);
	make(a, "a");
	expect_refused(a, "a", EEXIST);
	make(a, "b");
	cr_expect_eq(mem_cgroup_rmdir(a), -EBUSY);
}

Test(mem_cgroup, lookup_finds_online_children_only)
{
	struct mem_cgroup *a = make(NULL, "a");
	struct mem_cgroup *b = make(a, "b");
	struct mem_cgroup *found = mem_cgroup_lookup(a, "b");

	cr_expect_eq(found, b);
	mem_cgroup_put(found);
	cr_expect_null(mem_cgroup_lookup(a, "c"));
	cr_expect_null(mem_cgroup_lookup(b, "b"));
	cr_assert_eq(mem_cgroup_rmdir(b), 0);
	cr_expect_null(mem_cgroup_lookup(a, "b"));
	found = make(a, "b");
	cr_expect_neq(mem_cgroup_id(found), mem_cgroup_id(b), "ids are not used again");
}

Test(mem_cgroup, path_returns_what_it_would_need)
{
	struct mem_cgroup *a = make(mem_cgroup_root(), "server");
	struct mem_cgroup *b = make(a, "tenant");
	char buf[8] = "#######";

	expect_path(b, "/server/tenant");
	cr_expect_eq(mem_cgroup_path(b, NULL, 0), strlen("/server/tenant"));
	cr_expect_eq(mem_cgroup_path(b, buf, 5), strlen("/server/tenant"));
	cr_expect_str_eq(buf, "/ser");
	cr_expect_eq(mem_cgroup_path(b, buf, 1), strlen("/server/tenant"));
	cr_expect_str_eq(buf, "");
	cr_expect_eq(mem_cgroup_parent(b), a);
}

Test(mem_cgroup, rmdir_of_a_removed_group)
{
	struct mem_cgroup *a = make(NULL, "a");

	cr_expect_eq(mem_cgroup_rmdir(a), 0);
	cr_expect_eq(mem_cgroup_rmdir(a), -ENODEV);
	expect_refused(a, "child", ENODEV);
	cr_expect(!mem_cgroup_tryget_online(a));
	cr_expect(mem_cgroup_tryget(a), "somebody holds it still");
	mem_cgroup_put(a);
	cr_expect_str_eq(mem_cgroup_name(a), "a");
	mem_cgroup_put(a);
}

Test(mem_cgroup, rmdir_waits_for_children)
{
	struct mem_cgroup *a = make(NULL, "a");
	struct mem_cgroup *b = make(a, "b");

	cr_expect_eq(mem_cgroup_rmdir(a), -EBUSY);
	cr_expect_eq(mem_cgroup_rmdir(b), 0);
	cr_expect_eq(mem_cgroup_rmdir(a), 0, "a removed child is none");
	mem_cgroup_put(a);
	mem_cgroup_put(b);
}

Test(mem_cgroup, rmdir_waits_for_threads_inside)
{
	struct mem_cgroup *a = make(NULL, "a");

	set_active_memcg(a);
	cr_expect_eq(mem_cgroup_rmdir(a), -EBUSY);
	kfree(kmalloc(100, GFP_KERNEL));
	cr_expect_eq(mem_cgroup_rmdir(a), -EBUSY);
	set_active_memcg(NULL);
	cr_expect_eq(mem_cgroup_rmdir(a), 0);
	mem_cgroup_put(a);
}

/* Threads that have not said where they go are in the process's group. */
Test(mem_cgroup, process_group_cannot_be_removed)
{
	struct mem_cgroup *process = mem_cgroup_current();
	struct mem_cgroup *a = make(mem_cgroup_root(), "a");

	cr_expect_eq(mem_cgroup_rmdir(process), -EINVAL);
	set_active_memcg(a);
	cr_expect_eq(mem_cgroup_rmdir(process), -EINVAL, "also while nobody is inside");
	set_active_memcg(NULL);
	cr_expect_eq(mem_cgroup_current(), process);
	kfree(kmalloc(100, GFP_KERNEL));
}

static uint32_t records_used(void)
{
	const struct counters_header *header = counters_header();
	const struct counters_record *record = (const void *)header;
	uint32_t used = 0;

	for (uint32_t i = 0; i < header->nr_records; i++)
		used += record[1 + i].state != COUNTERS_UNUSED;
	return used;
}

/* A removed group is gone with the last reference, and its memory is used again. */
Test(mem_cgroup, nothing_is_left_of_a_group)
{
	uint32_t used = records_used();
	uint32_t nr = 0;

	for (int i = 0; i < 3000; i++) {
		struct mem_cgroup *a = make(NULL, "a");
		struct mem_cgroup *b = make(a, "b");

		cr_assert_eq(mem_cgroup_rmdir(b), 0);
		mem_cgroup_put(b);
		cr_assert_eq(mem_cgroup_rmdir(a), 0);
		mem_cgroup_put(a);
		if (i % 100 == 0)
			rcu_barrier();
		if (i == 1000)
			nr = counters_header()->nr_records;
	}
	rcu_barrier();
	cr_expect_eq(records_used(), used);
	cr_expect_leq(counters_header()->nr_records, nr + 400);
}

/* ---- Walking ------------------------------------------------------------ */

static int append_name(struct mem_cgroup *memcg, void *arg)
{
	strcat(arg, mem_cgroup_name(memcg));
	return strcmp(mem_cgroup_name(memcg), "stop") ? 0 : 42;
}

Test(mem_cgroup, walk_visits_parents_first)
{
	struct mem_cgroup *t = make(NULL, "t");
	struct mem_cgroup *a = make(t, "a");
	struct mem_cgroup *b = make(t, "b");
	char names[64] = "";

	make(a, "1");
	make(b, "2");
	make(mem_cgroup_lookup(a, "1"), "x");
	cr_expect_eq(mem_cgroup_walk(t, append_name, names), 0);
	cr_expect_str_eq(names, "ta1xb2");
	make(a, "stop");
	make(a, "unseen");
	names[0] = '\0';
	cr_expect_eq(mem_cgroup_walk(t, append_name, names), 42);
	cr_expect_str_eq(names, "ta1xstop");
}

/* Removes the group it is at; the walk goes on behind it. */
static int remove_while_walking(struct mem_cgroup *memcg, void *arg)
{
	append_name(memcg, arg);
	if (mem_cgroup_name(memcg)[0] == 'r') {
		cr_expect_eq(mem_cgroup_rmdir(memcg), 0);
		mem_cgroup_put(memcg);
	}
	return 0;
}

Test(mem_cgroup, walk_goes_on_behind_a_removed_group)
{
	struct mem_cgroup *t = make(NULL, "t");
	char names[64] = "";

	make(t, "r1");
	make(t, "a");
	make(t, "r2");
	make(t, "r3");
	make(make(t, "b"), "r4");
	make(t, "c");
	cr_expect_eq(mem_cgroup_walk(t, remove_while_walking, names), 0);
	cr_expect_str_eq(names, "tr1ar2r3br4c");
	names[0] = '\0';
	cr_expect_eq(mem_cgroup_walk(t, append_name, names), 0);
	cr_expect_str_eq(names, "tabc");
}

Test(mem_cgroup, walk_of_a_removed_group_visits_nothing)
{
	struct mem_cgroup *t = make(NULL, "t");
	char names[64] = "";

	cr_assert_eq(mem_cgroup_rmdir(t), 0);
	cr_expect_eq(mem_cgroup_walk(t, append_name, names), 0);
	cr_expect_str_eq(names, "");
	mem_cgroup_put(t);
}

/* More than the table of names begins with, so that it has grown several times. */
Test(mem_cgroup, each_of_many_is_found_by_its_name)
{
	enum { MANY = 3000 };
	static struct mem_cgroup *groups[2][MANY];
	struct mem_cgroup *parents[] = {make(NULL, "one"), make(NULL, "other")};
	char name[16];

	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "%d", i);
		for (int p = 0; p < 2; p++)
			groups[p][i] = make(parents[p], name);
	}
	for (int i = 0; i < MANY; i += 2) {
		cr_assert_eq(mem_cgroup_rmdir(groups[0][i]), 0);
		mem_cgroup_put(groups[0][i]);
	}
	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "%d", i);
		for (int p = 0; p < 2; p++) {
			struct mem_cgroup *found = mem_cgroup_lookup(parents[p], name);

			cr_assert_eq(found, p == 0 && i % 2 == 0 ? NULL : groups[p][i],
				     "%d of parent %d", i, p);
			mem_cgroup_put(found);
		}
		if (i % 2)
			expect_refused(parents[0], name, EEXIST);
	}
}
