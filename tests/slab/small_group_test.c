/* SPDX-License-Identifier: MIT */
/* What a group costs that has few objects, or none. */
#include <criterion/criterion.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "alloc/pages/page_run.h"
#include "alloc/slab/heap.h"

#define GROUPS 2000
#define EACH   10

static const size_t sizes[] = {16, 48, 96, 192, 512};

#define SIZES	(sizeof(sizes) / sizeof(sizes[0]))
#define PAYLOAD 8640 /* EACH of each of them */

static struct mem_cgroup *groups[GROUPS];
static char *objects[GROUPS][SIZES][EACH];

static size_t rss(void)
{
	size_t total, resident = 0;
	FILE *file = fopen("/proc/self/statm", "r");

	cr_assert_not_null(file);
	cr_assert_eq(fscanf(file, "%zu %zu", &total, &resident), 2);
	fclose(file);
	return resident * (size_t)sysconf(_SC_PAGESIZE);
}

static struct mem_cgroup_stat stat_of(struct mem_cgroup *memcg)
{
	struct mem_cgroup_stat stat = {.size = sizeof(stat)};

	cr_assert_eq(mem_cgroup_stat(memcg, &stat), 0);
	cr_assert_eq(mem_cgroup_verify(memcg, NULL), 0);
	return stat;
}

static void make_groups(void)
{
	char name[24];

	for (int i = 0; i < GROUPS; i++) {
		snprintf(name, sizeof(name), "small-%d", i);
		groups[i] = mem_cgroup_create(NULL, name);
		cr_assert_not_null(groups[i]);
	}
}

static void fill(int group)
{
	struct mem_cgroup *old = set_active_memcg(groups[group]);

	for (size_t s = 0; s < SIZES; s++) {
		for (int i = 0; i < EACH; i++) {
			objects[group][s][i] = kmalloc(sizes[s], GFP_KERNEL);
			cr_assert_not_null(objects[group][s][i]);
			memset(objects[group][s][i], group, sizes[s]);
		}
	}
	set_active_memcg(old);
}

static void check_and_free(int group)
{
	for (size_t s = 0; s < SIZES; s++) {
		for (int i = 0; i < EACH; i++) {
			char *object = objects[group][s][i];

			for (size_t b = 0; b < sizes[s]; b++)
				cr_assert_eq(object[b], (char)group, "group %d", group);
			kfree(object);
		}
	}
}

Test(small_group, slabs_are_no_longer_than_needed, .init = make_groups)
{
	struct mem_cgroup_stat stat;

	fill(0);
	stat = stat_of(groups[0]);
	cr_expect_eq(stat.object_bytes, PAYLOAD);
	cr_expect_leq(stat.slab_bytes, PAYLOAD * 3 / 2, "%lu bytes",
		      (unsigned long)stat.slab_bytes);
	cr_expect_eq(stat.waste_bytes, stat.slab_bytes - PAYLOAD);
}

/* What is resident for it: twice its objects, and 1 KiB. */
Test(small_group, resident_memory_is_bounded)
{
	size_t before, bytes;

	memset(objects, 1, sizeof(objects));
	memset(groups, 1, sizeof(groups));
	before = rss();
	make_groups();
	for (int i = 0; i < GROUPS; i++)
		fill(i);
	bytes = (rss() - before) / GROUPS;
	cr_expect_leq(bytes, 2 * PAYLOAD + 1024, "%zu bytes each", bytes);
}

/* Groups share pages: what happens to one is nothing to the other. */
Test(small_group, neighbours_in_a_page_do_not_notice, .init = make_groups)
{
	struct page_run_stats pages;
	size_t used;

	page_runs_stats(&pages);
	used = pages.used;
	for (int round = 0; round < 4; round++) {
		for (int i = 0; i < GROUPS; i++)
			fill(i);
		for (int i = round % 2; i < GROUPS; i += 2)
			check_and_free(i);
		for (int i = (round + 1) % 2; i < GROUPS; i += 2)
			check_and_free(i);
	}
	for (int i = 0; i < GROUPS; i++) {
		cr_assert_eq(mem_cgroup_rmdir(groups[i]), 0);
		mem_cgroup_put(groups[i]);
	}
	page_runs_stats(&pages);
	cr_expect_leq(pages.used, used, "%zu pages, not %zu", pages.used, used);
	page_runs_validate();
}

/* Among many groups, what each of them keeps for the next time adds up. */
Test(small_group, a_rare_large_object_leaves_nothing, .init = make_groups)
{
	static const size_t large[] = {4096, 10000, KMALLOC_MAX_CACHE_SIZE};

	set_active_memcg(groups[0]);
	for (size_t i = 0; i < ARRAY_SIZE(large); i++) {
		kfree(kmalloc(large[i], GFP_KERNEL));
		cr_expect_eq(stat_of(groups[0]).slab_bytes, 0, "%zu", large[i]);
	}
	set_active_memcg(NULL);
}

/* A slab of its own each time would be slow. */
Test(small_group, a_frequent_large_object_stays, .init = make_groups)
{
	set_active_memcg(groups[0]);
	for (int i = 0; i < 1000; i++)
		kfree(kmalloc(KMALLOC_MAX_CACHE_SIZE, GFP_KERNEL));
	cr_expect_geq(stat_of(groups[0]).slab_bytes, KMALLOC_MAX_CACHE_SIZE);
	set_active_memcg(NULL);
}

/* Whatever the length of the first slabs, and however they grow. */
Test(small_group, every_class_keeps_its_objects, .init = make_groups)
{
	for (int class = 0; class < SIZE_CLASSES; class ++) {
		size_t size = size_class_bytes[class];
		size_t align = size & -size;
		char *mine[100];

		set_active_memcg(groups[class]);
		for (int i = 0; i < 100; i++) {
			mine[i] = kmalloc(size, GFP_KERNEL);
			cr_assert_not_null(mine[i]);
			cr_assert_eq((uintptr_t)mine[i] % (align < 4096 ? align : 4096), 0,
				     "%zu bytes", size);
			memset(mine[i], i, size);
		}
		cr_expect_eq(stat_of(groups[class]).object_bytes, 100 * size);
		cr_expect_leq(stat_of(groups[class]).waste_bytes, 100 * size + 8192, "%zu bytes",
			      size);
		for (int i = 0; i < 100; i++) {
			cr_assert_eq(mine[i][0], (char)i);
			cr_assert_eq(mine[i][size - 1], (char)i);
			kfree(mine[i]);
		}
		set_active_memcg(NULL);
		cr_expect_eq(stat_of(groups[class]).object_bytes, 0);
	}
}
