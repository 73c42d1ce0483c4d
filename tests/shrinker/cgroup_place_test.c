/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "shrinker/cgroup_place.h"
#include "tests/shrinker/fake_tree.h"

#define V2_AT(root, point) "31 23 0:28 " root " " point " rw,nosuid shared:9 - cgroup2 cgroup2 rw\n"
#define MEMORY_AT(root, point)                                                                     \
	"35 31 0:32 " root " " point " rw,relatime shared:4 master:1 - cgroup cgroup rw,memory\n"
#define OTHERS                                                                                     \
	"30 1 0:20 / / rw - ext4 /dev/root rw,cgroup2,memory\n"                                    \
	"32 31 0:29 / /sys/fs/cgroup/cpu rw,memory - cgroup cgroup rw,cpu,cpuacct\n"

static struct cgroup_place place;

static int find(enum cgroup_kind kind, const char *mounts, const char *cgroups)
{
	fake_write("proc/self/mountinfo", "%s", mounts);
	return cgroup_place_find(&place, kind, fake_tree(), cgroups);
}

/* Whether it was found there, as seen from the root of the tree. */
static bool is_at(const char *path, const char *top)
{
	size_t len = strlen(fake_tree());

	return !strncmp(place.path, fake_tree(), len) && !strcmp(place.path + len, path) &&
	       place.top == len + strlen(top);
}

TestSuite(cgroup_place, .init = fake_tree_make, .fini = fake_tree_remove);

Test(cgroup_place, of_version_2)
{
	cr_assert_eq(find(CGROUP_V2, OTHERS V2_AT("/", "/sys/fs/cgroup"), "0::/a.slice/b c\n"), 0);
	cr_expect(is_at("/sys/fs/cgroup/a.slice/b c", "/sys/fs/cgroup"));
}

Test(cgroup_place, of_version_1)
{
	const char *cgroups = "9:name=memory:/no\n5:cpu,cpuacct:/no\n4:hugetlb,memory:/a\n0::/no\n";

	cr_assert_eq(
		find(CGROUP_V1_MEMORY, OTHERS MEMORY_AT("/", "/sys/fs/cgroup/memory"), cgroups), 0);
	cr_expect(is_at("/sys/fs/cgroup/memory/a", "/sys/fs/cgroup/memory"));
}

Test(cgroup_place, with_its_parents)
{
	size_t len;

	cr_assert_eq(find(CGROUP_V2, V2_AT("/", "/mnt"), "0::/a/bb\n"), 0);
	len = cgroup_place_parent(&place, strlen(place.path));
	cr_expect_eq(len, place.top + 2, "/mnt/a");
	len = cgroup_place_parent(&place, len);
	cr_expect_eq(len, place.top, "/mnt");
	cr_expect_eq(cgroup_place_parent(&place, len), 0);
}

Test(cgroup_place, at_the_top)
{
	cr_assert_eq(find(CGROUP_V2, V2_AT("/", "/mnt"), "0::/\n"), 0);
	cr_expect(is_at("/mnt", "/mnt"));
	cr_expect_eq(cgroup_place_parent(&place, strlen(place.path)), 0);
}

/* A container of version 1 has its own cgroup mounted, under the name that it has outside. */
Test(cgroup_place, below_the_part_that_is_mounted)
{
	cr_assert_eq(find(CGROUP_V1_MEMORY, MEMORY_AT("/docker/1f", "/sys/fs/cgroup/memory"),
			  "4:memory:/docker/1f/job\n"),
		     0);
	cr_expect(is_at("/sys/fs/cgroup/memory/job", "/sys/fs/cgroup/memory"));
	cr_assert_eq(find(CGROUP_V1_MEMORY, MEMORY_AT("/docker/1f", "/sys/fs/cgroup/memory"),
			  "4:memory:/docker/1f\n"),
		     0);
	cr_expect(is_at("/sys/fs/cgroup/memory", "/sys/fs/cgroup/memory"));
}

Test(cgroup_place, of_which_no_mount_shows_anything)
{
	cr_assert_eq(
		find(CGROUP_V1_MEMORY, MEMORY_AT("/docker/1f", "/m"), "4:memory:/docker/1fe\n"), 0);
	cr_expect(is_at("/m", "/m"));
	cr_assert_eq(find(CGROUP_V2, V2_AT("/", "/m"), "0::/../../other\n"), 0);
	cr_expect(is_at("/m", "/m"));
}

Test(cgroup_place, in_the_mount_that_shows_most)
{
	cr_assert_eq(find(CGROUP_V2,
			  V2_AT("/x", "/wrong") V2_AT("/a", "/part") V2_AT("/", "/all")
				  V2_AT("/a/b", "/little"),
			  "0::/a/b/c\n"),
		     0);
	cr_expect(is_at("/all/a/b/c", "/all"));
}

Test(cgroup_place, with_blanks_in_its_mount)
{
	cr_assert_eq(find(CGROUP_V2, V2_AT("/a\\040b", "/my\\040mount\\134x"), "0::/a b/c\n"), 0);
	cr_expect(is_at("/my mount\\x/c", "/my mount\\x"));
}

Test(cgroup_place, that_is_not_there)
{
	cr_expect_eq(find(CGROUP_V2, OTHERS, "0::/a\n"), -ENOENT, "not mounted");
	cr_expect_str_eq(place.path, "");
	cr_expect_eq(find(CGROUP_V2, V2_AT("/", "/mnt"), "4:memory:/a\n"), -ENOENT);
	cr_expect_eq(find(CGROUP_V1_MEMORY, MEMORY_AT("/", "/mnt"), "0::/a\n"), -ENOENT);
	cr_expect_eq(find(CGROUP_V2, V2_AT("/", "/mnt"), ""), -ENOENT);
	unlink(fake_path("proc/self/mountinfo"));
	cr_expect_eq(cgroup_place_find(&place, CGROUP_V2, fake_tree(), "0::/a\n"), -ENOENT);
}

Test(cgroup_place, in_lines_that_are_cut_off)
{
	static const char *const bad[] = {"31",
					  "31 23 0:28 /",
					  "31 23 0:28 / /m rw shared:9",
					  "31 23 0:28 / /m rw - cgroup2",
					  "31 23 0:28 / /m rw - cgroup2 cgroup2",
					  ""};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char mounts[128];

		snprintf(mounts, sizeof(mounts), "%s\n", bad[i]);
		cr_expect_eq(find(CGROUP_V2, mounts, "0::/a\n"), -ENOENT, "%s", bad[i]);
	}
	cr_expect_eq(find(CGROUP_V2, V2_AT("/", "/m"), "0:\n:\n\n0::/a"), -ENOENT);
}

/* Too long for a path: as if it were not there, or its ancestors only. */
Test(cgroup_place, that_is_too_deep)
{
	char cgroups[2 * PATH_MAX];
	int len = snprintf(cgroups, sizeof(cgroups), "0::/");

	memset(cgroups + len, 'a', PATH_MAX);
	strcpy(cgroups + len + PATH_MAX, "\n");
	cr_expect_eq(find(CGROUP_V2, V2_AT("/", "/m"), cgroups), -ENOENT);
}
