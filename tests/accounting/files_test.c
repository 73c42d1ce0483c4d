/* SPDX-License-Identifier: MIT */
/* Interface files by name. */
#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <cgslab/memcg.h>
#include <cgslab/slab.h>

static struct mem_cgroup *memcg;

static void make(void)
{
	memcg = mem_cgroup_create(NULL, "files");
	cr_assert_not_null(memcg);
}

static const char *read_file(struct mem_cgroup *from, const char *file)
{
	static char text[1024];
	long len = mem_cgroup_read(from, file, text, sizeof(text));

	cr_assert_gt(len, 0, "%s: %ld", file, len);
	cr_assert_eq(len, (long)strlen(text), "%s", file);
	return text;
}

static void expect_bytes(const char *file, uint64_t bytes)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRIu64 "\n", bytes);
	cr_expect_str_eq(read_file(memcg, file), text, "%s", file);
}

/* The number behind @key in a flat keyed file. */
static uint64_t value_of(const char *file, const char *key)
{
	const char *line = read_file(memcg, file);
	char name[32];
	uint64_t value;

	for (; line && *line; line = strchr(line, '\n') + 1) {
		cr_assert_eq(sscanf(line, "%31s %" SCNu64 "\n", name, &value), 2, "%s", line);
		if (!strcmp(name, key))
			return value;
	}
	cr_assert_fail("%s has no %s", file, key);
	return 0;
}

Test(files, numbers, .init = make)
{
	void *block;

	expect_bytes("memory.current", 0);
	expect_bytes("memory.peak", 0);
	cr_expect_str_eq(read_file(memcg, "memory.max"), "max\n");
	set_active_memcg(memcg);
	block = kmalloc(100000, GFP_KERNEL);
	expect_bytes("memory.current", 102400);
	kfree(block);
	expect_bytes("memory.current", 0);
	expect_bytes("memory.peak", 102400);
}

static const struct limit {
	const char *file;
	uint64_t (*get)(const struct mem_cgroup *memcg);
	int (*set)(struct mem_cgroup *memcg, uint64_t bytes);
	uint64_t at_first;
} limits[] = {
	{"memory.min", mem_cgroup_min, mem_cgroup_set_min, 0},
	{"memory.low", mem_cgroup_low, mem_cgroup_set_low, 0},
	{"memory.high", mem_cgroup_high, mem_cgroup_set_high, MEMCG_MAX},
	{"memory.max", mem_cgroup_max, mem_cgroup_set_max, MEMCG_MAX},
	{"memory.swap.high", mem_cgroup_swap_high, mem_cgroup_set_swap_high, MEMCG_MAX},
	{"memory.swap.max", mem_cgroup_swap_max, mem_cgroup_set_swap_max, MEMCG_MAX},
	{"memory.zswap.max", mem_cgroup_zswap_max, mem_cgroup_set_zswap_max, MEMCG_MAX},
};

static void expect_limit(const struct limit *limit, const char *text, uint64_t bytes)
{
	cr_expect_eq(mem_cgroup_write(memcg, limit->file, text), 0);
	cr_expect_eq(limit->get(memcg), bytes, "%s %s: %lu", limit->file, text,
		     (unsigned long)limit->get(memcg));
	if (bytes == MEMCG_MAX)
		cr_expect_str_eq(read_file(memcg, limit->file), "max\n");
	else
		expect_bytes(limit->file, bytes);
}

Test(files, limits_of_a_new_group, .init = make)
{
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		cr_expect_eq(limits[i].get(memcg), limits[i].at_first, "%s", limits[i].file);
		cr_expect_eq(limits[i].get(mem_cgroup_root()), limits[i].at_first);
	}
}

Test(files, limits_are_rounded_down_to_pages, .init = make)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} values[] = {
		{"1M", 1 << 20},    {"8191", 4096},
		{"4096\n", 4096},   {"4095", 0},
		{"0", 0},	    {" 2g ", 2ull << 30},
		{"max", MEMCG_MAX}, {"9223372036854775808", MEMCG_MAX},
	};

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		for (size_t j = 0; j < sizeof(limits) / sizeof(limits[0]); j++)
			expect_limit(&limits[j], values[i].text, values[i].bytes);
}

Test(files, a_refused_write_changes_nothing, .init = make)
{
	static const char *const bad[] = {"", "-1", "1X", "1M1", "0x10", "max1", "1e6", "5000T0"};

	for (size_t j = 0; j < sizeof(limits) / sizeof(limits[0]); j++) {
		cr_assert_eq(limits[j].set(memcg, (j + 5) << 20), 0);
		for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
			cr_expect_eq(mem_cgroup_write(memcg, limits[j].file, bad[i]), -EINVAL,
				     "%s '%s'", limits[j].file, bad[i]);
		cr_expect_eq(limits[j].get(memcg), (j + 5) << 20);
		cr_expect_eq(mem_cgroup_write(mem_cgroup_root(), limits[j].file, "1M"), -EINVAL);
		cr_expect_eq(limits[j].get(mem_cgroup_root()), limits[j].at_first);
	}
	cr_expect_eq(mem_cgroup_write(memcg, "memory.current", "0"), -EACCES);
	cr_expect_eq(mem_cgroup_write(memcg, "memory.stat", ""), -EACCES);
	cr_expect_eq(mem_cgroup_write(memcg, "memory.swap.current", "0"), -EACCES);
	cr_expect_eq(mem_cgroup_write(memcg, "memory.swap.events", "0"), -EACCES);
	cr_expect_eq(mem_cgroup_write(memcg, "memory.zswap.current", "0"), -EACCES);
	cr_expect_eq(mem_cgroup_write(memcg, "memory.nothing", "1M"), -ENOENT);
	cr_expect_eq(mem_cgroup_write(memcg, "", "1M"), -ENOENT);
}

Test(files, reading_is_like_snprintf, .init = make)
{
	char text[8] = "#######";

	cr_assert_eq(mem_cgroup_set_max(memcg, 12 << 20), 0);
	cr_expect_eq(mem_cgroup_read(memcg, "memory.max", NULL, 0), 9);
	cr_expect_eq(mem_cgroup_read(memcg, "memory.max", text, 4), 9);
	cr_expect_str_eq(text, "125");
	cr_expect_eq(text[4], '#');
	cr_expect_eq(mem_cgroup_read(memcg, "memory.max", text, 1), 9);
	cr_expect_str_eq(text, "");
	cr_expect_eq(mem_cgroup_read(memcg, "memory.nothing", text, sizeof(text)), -ENOENT);
}

Test(files, oom_group, .init = make)
{
	cr_expect_str_eq(read_file(memcg, "memory.oom.group"), "0\n");
	cr_expect_eq(mem_cgroup_write(memcg, "memory.oom.group", "1\n"), 0);
	cr_expect_str_eq(read_file(memcg, "memory.oom.group"), "1\n");
	cr_expect(mem_cgroup_get_oom_group(memcg));
	cr_expect_eq(mem_cgroup_write(memcg, "memory.oom.group", "2"), -EINVAL);
	cr_expect_eq(mem_cgroup_write(memcg, "memory.oom.group", "max"), -EINVAL);
	cr_expect_eq(mem_cgroup_write(memcg, "memory.oom.group", ""), -EINVAL);
	cr_expect(mem_cgroup_get_oom_group(memcg));
	cr_expect_eq(mem_cgroup_write(memcg, "memory.oom.group", "0"), 0);
	cr_expect_str_eq(read_file(memcg, "memory.oom.group"), "0\n");
}

/* The same in pieces: what the first lines leave over is filled to the brim. */
Test(files, long_files_are_cut_anywhere, .init = make)
{
	char whole[1024];
	long len = mem_cgroup_read(memcg, "memory.events", whole, sizeof(whole));

	for (size_t room = 1; room <= (size_t)len + 1; room++) {
		char text[1024];

		memset(text, '#', sizeof(text));
		cr_expect_eq(mem_cgroup_read(memcg, "memory.events", text, room), len);
		cr_expect_eq(strlen(text), room - 1);
		cr_expect_eq(strncmp(text, whole, room - 1), 0);
		cr_expect_eq(text[room], '#');
	}
}

Test(files, events_and_stat, .init = make)
{
	void *block;

	set_active_memcg(memcg);
	block = kmalloc(1000, GFP_KERNEL);
	cr_expect_eq(value_of("memory.stat", "object"), ksize(block));
	cr_expect_eq(value_of("memory.stat", "nr_objects"), 1);
	cr_assert_eq(mem_cgroup_write(memcg, "memory.max", "1M"), 0);
	cr_expect_null(kmalloc(2 << 20, GFP_KERNEL));
	cr_expect_eq(value_of("memory.events", "oom"), 1);
	cr_expect_eq(value_of("memory.events.local", "oom"), 1);
	cr_expect_gt(value_of("memory.events", "max"), 0);
	cr_expect_eq(value_of("memory.events", "low"), 0);
	cr_expect_eq(value_of("memory.events", "high"), 0);
	cr_expect_eq(value_of("memory.events", "oom_kill"), 0);
	cr_expect_eq(value_of("memory.events", "oom_group_kill"), 0);
	kfree(block);
}

Test(files, of_the_tree, .init = make)
{
	void *block;
	struct mem_cgroup *child = mem_cgroup_create(memcg, "child");

	cr_expect_str_eq(read_file(memcg, "cgroup.stat"),
			 "nr_descendants 1\nnr_dying_descendants 0\n");
	cr_expect_str_eq(read_file(memcg, "cgroup.events"), "populated 0\n");
	set_active_memcg(child);
	block = kmalloc(100, GFP_KERNEL);
	cr_expect_str_eq(read_file(memcg, "cgroup.events"), "populated 1\n");
	set_active_memcg(NULL);
	cr_assert_eq(mem_cgroup_rmdir(child), 0);
	mem_cgroup_put(child);
	cr_expect_str_eq(read_file(memcg, "cgroup.stat"),
			 "nr_descendants 0\nnr_dying_descendants 1\n");
	kfree(block);
	cr_expect_eq(value_of("cgroup.stat", "nr_dying_descendants"), 0);
	cr_expect_eq(mem_cgroup_write(memcg, "cgroup.stat", "0"), -EACCES);
}
