/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "shrinker/headroom.h"
#include "tests/shrinker/fake_tree.h"

#define MIB	   (1l << 20)
#define PAGES(mib) ((mib)*MIB / (long)PAGE_SIZE)

static struct headroom headroom;

static void open_it(const char *cgroups)
{
	headroom_open(&headroom, fake_tree(), cgroups);
}

static void finish(void)
{
	headroom_close(&headroom);
	fake_tree_remove();
}

TestSuite(headroom, .init = fake_tree_make, .fini = finish);

Test(headroom, has_watermarks_within_bounds)
{
	struct watermarks marks = watermarks_of(PAGES(512));

	cr_expect_eq(marks.min, PAGES(16));
	cr_expect_eq(marks.low, PAGES(32));
	cr_expect_eq(marks.high, PAGES(48));
	cr_expect_eq(watermarks_of(PAGES(2)).min, PAGES(1));
	cr_expect_eq(watermarks_of(PAGES(1 << 20)).min, PAGES(256));
}

Test(headroom, is_endless_without_a_limit)
{
	fake_cgroup2("/a");
	fake_level2("/a", "max", "max", 100 * MIB, 0);
	open_it("0::/a\n");
	cr_expect_eq(headroom_look(&headroom).room, HEADROOM_MAX);
	cr_expect_eq(headroom_look(&headroom).wanted, 0);
	cr_expect(!headroom_look(&headroom).lost);
}

Test(headroom, ends_at_the_low_watermark)
{
	struct headroom_sample sample;

	fake_cgroup2("/a");
	fake_level2("/a", "536870912", "max", 100 * MIB, 0);
	open_it("0::/a\n");
	sample = headroom_look(&headroom);
	cr_expect_eq(sample.room, PAGES(512 - 100 - 32));
	cr_expect_eq(sample.wanted, 0);
}

Test(headroom, is_that_of_the_nearest_limit)
{
	fake_cgroup2("/a/b/c");
	fake_level2("", "max", "max", 0, 0);
	fake_level2("/a", "536870912", "max", 400 * MIB, 0); /* 80 are left */
	fake_level2("/a/b", "max", "max", 300 * MIB, 0);
	fake_level2("/a/b/c", "268435456", "max", 100 * MIB, 0); /* 140 are left */
	open_it("0::/a/b/c\n");
	cr_expect_eq(headroom_look(&headroom).room, PAGES(80));
	fake_level2("/a/b/c", "268435456", "max", 200 * MIB, 0); /* 40 are left */
	cr_expect_eq(headroom_look(&headroom).room, PAGES(40));
}

Test(headroom, knows_that_high_slows_down)
{
	fake_cgroup2("/a");
	fake_level2("/a", "1073741824", "536870912", 100 * MIB, 0);
	open_it("0::/a\n");
	cr_expect_eq(headroom_look(&headroom).room, PAGES(512 - 100 - 32));
}

Test(headroom, does_not_mistake_cached_files_for_need)
{
	struct headroom_sample sample;

	fake_cgroup2("/a");
	fake_level2("/a", "536870912", "max", 512 * MIB, 300 * MIB);
	open_it("0::/a\n");
	sample = headroom_look(&headroom);
	/* Of the cache, all but the low watermark. */
	cr_expect_eq(sample.room, PAGES(300 - 32 - 32));
	cr_expect_eq(sample.wanted, 0);
	fake_level2("/a", "536870912", "max", 512 * MIB, 40 * MIB); /* half of it */
	sample = headroom_look(&headroom);
	cr_expect_eq(sample.room, PAGES(20 - 32));
	cr_expect_eq(sample.wanted, PAGES(48 - 20));
}

Test(headroom, is_short_from_low_to_high)
{
	fake_cgroup2("/a");
	fake_level2("/a", "536870912", "max", 479 * MIB, 0); /* 33 left */
	open_it("0::/a\n");
	cr_expect_eq(headroom_look(&headroom).wanted, 0);
	fake_level2("/a", "536870912", "max", 482 * MIB, 0); /* 30 */
	cr_expect_eq(headroom_look(&headroom).wanted, PAGES(48 - 30));
	cr_expect_eq(headroom_look(&headroom).room, PAGES(-2));
	fake_level2("/a", "536870912", "max", 472 * MIB, 0); /* 40 */
	cr_expect_eq(headroom_look(&headroom).wanted, PAGES(48 - 40), "not yet");
	fake_level2("/a", "536870912", "max", 464 * MIB, 0); /* 48 */
	cr_expect_eq(headroom_look(&headroom).wanted, 0);
	fake_level2("/a", "536870912", "max", 472 * MIB, 0);
	cr_expect_eq(headroom_look(&headroom).wanted, 0, "not again");
}

Test(headroom, follows_limits_that_change)
{
	fake_cgroup2("/a");
	fake_level2("/a", "max", "max", 100 * MIB, 0);
	open_it("0::/a\n");
	cr_expect_eq(headroom_look(&headroom).room, HEADROOM_MAX);
	fake_write("sys/fs/cgroup/a/memory.max", "268435456\n");
	cr_expect_eq(headroom_look(&headroom).room, PAGES(256 - 100 - 16));
	fake_write("sys/fs/cgroup/a/memory.max", "max\n");
	cr_expect_eq(headroom_look(&headroom).room, HEADROOM_MAX);
}

Test(headroom, of_version_1)
{
	fake_write("proc/self/mountinfo", "35 31 0:32 / /memory rw - cgroup cgroup rw,memory\n"
					  "36 31 0:33 / /unified rw - cgroup2 cgroup2 rw\n");
	fake_write("memory/memory.limit_in_bytes", "9223372036854771712\n");
	fake_write("memory/memory.usage_in_bytes", "%ld\n", 600 * MIB);
	fake_write("memory/a/memory.limit_in_bytes", "%ld\n", 512 * MIB);
	fake_write("memory/a/memory.usage_in_bytes", "%ld\n", 312 * MIB);
	fake_write("memory/a/memory.stat",
		   "inactive_file 1\ntotal_inactive_file %ld\ntotal_active_file %ld\n", 60 * MIB,
		   40 * MIB);
	open_it("4:memory:/a\n0::/b\n");
	cr_expect_eq(headroom_look(&headroom).room, PAGES(200 + 100 - 32 - 32));
}

Test(headroom, of_the_machine)
{
	struct headroom_sample sample;

	fake_machine(8192, 4096);
	open_it("");
	sample = headroom_look(&headroom);
	cr_expect_eq(sample.room, PAGES(4096 - 512));
	cr_expect_eq(sample.wanted, 0);
	fake_machine(8192, 500);
	sample = headroom_look(&headroom);
	cr_expect_eq(sample.room, PAGES(500 - 512));
	cr_expect_eq(sample.wanted, PAGES(768 - 500));
}

Test(headroom, is_lost_with_its_files)
{
	int fd;

	fake_cgroup2("/a");
	fake_level2("/a", "536870912", "max", 100 * MIB, 0);
	open_it("0::/a\n");
	cr_expect(!headroom_look(&headroom).lost);
	fd = headroom.levels[0].usage.fd;
	close(fd);
	cr_expect(headroom_look(&headroom).lost);
	/* What the program has there now is not read, and not closed. */
	cr_assert_eq(dup2(0, fd), fd);
	cr_expect(headroom_look(&headroom).lost);
	headroom_close(&headroom);
	cr_expect_eq(dup2(fd, fd), fd, "still open");
	close(fd);
}

Test(headroom, lets_nonsense_be_no_limit)
{
	fake_cgroup2("/a");
	fake_level2("/a", "much", "", 100 * MIB, 0);
	fake_machine(0, 0);
	open_it("0::/a\n");
	cr_expect_eq(headroom_look(&headroom).room, HEADROOM_MAX);
}

Test(headroom, is_endless_where_nothing_is)
{
	open_it("");
	cr_expect_eq(headroom_look(&headroom).room, HEADROOM_MAX);
}

Test(headroom, looks_no_further_up_than_it_can)
{
	char path[256] = "";

	for (int i = 0; i < HEADROOM_LEVELS + 3; i++) {
		strcat(path, "/a");
		fake_level2(path, "536870912", "max", (100 + i) * MIB, 0);
	}
	fake_cgroup2(path);
	fake_level2("/a", "536870912", "max", 512 * MIB, 0);
	snprintf(path + strlen(path), 8, "\n");
	{
		char cgroups[264] = "0::";

		strcat(cgroups, path);
		open_it(cgroups);
	}
	cr_expect_eq(headroom.nr_levels, HEADROOM_LEVELS);
	cr_expect_eq(headroom_look(&headroom).room, PAGES(512 - 100 - (HEADROOM_LEVELS + 2) - 32));
}

/* Of this machine: there are some numbers, and they make sense. */
Test(headroom, of_this_machine)
{
	static char cgroups[4096];
	FILE *file = fopen("/proc/self/cgroup", "r");
	struct headroom_sample sample;

	cr_assert(file && fread(cgroups, 1, sizeof(cgroups) - 1, file) > 0);
	fclose(file);
	headroom_open(&headroom, "", cgroups);
	sample = headroom_look(&headroom);
	cr_expect(!sample.lost);
	cr_expect_lt(sample.room, HEADROOM_MAX);
	cr_expect_gt(sample.room, -sysconf(_SC_PHYS_PAGES));
	cr_expect_geq(sample.wanted, 0);
}
