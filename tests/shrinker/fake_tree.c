/* SPDX-License-Identifier: MIT */
#include "tests/shrinker/fake_tree.h"

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char tree[PATH_MAX / 2];
static char path[PATH_MAX];

static void fail(const char *what)
{
	perror(what);
	abort();
}

void fake_tree_make(void)
{
	strcpy(tree, "/tmp/fake_tree.XXXXXX");
	if (!mkdtemp(tree))
		fail(tree);
}

void fake_tree_use(const char *folder)
{
	snprintf(tree, sizeof(tree), "%s", folder);
	mkdir(tree, 0700);
}

static int remove_one(const char *name, const struct stat *stat, int type, struct FTW *where)
{
	(void)stat;
	(void)type;
	(void)where;
	return remove(name);
}

void fake_tree_remove(void)
{
	nftw(tree, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

const char *fake_tree(void)
{
	return tree;
}

const char *fake_path(const char *name)
{
	snprintf(path, sizeof(path), "%s/%s", tree, name);
	return path;
}

static void make_folders(char *name)
{
	for (char *slash = strchr(name + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(name, 0700);
		*slash = '/';
	}
}

void fake_write(const char *name, const char *fmt, ...)
{
	va_list args;
	int fd;

	fake_path(name);
	make_folders(path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0)
		fail(path);
	va_start(args, fmt);
	if (vdprintf(fd, fmt, args) < 0)
		fail(path);
	va_end(args);
	close(fd);
}

void fake_cgroup2(const char *cgroup)
{
	fake_write("proc/self/cgroup", "0::%s\n", cgroup);
	fake_write("proc/self/mountinfo",
		   "22 1 0:20 / /proc rw,relatime - proc proc rw\n"
		   "31 23 0:28 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw\n");
}

void fake_level2(const char *cgroup, const char *max, const char *high, long usage, long cache)
{
	char name[256];
	int len = snprintf(name, sizeof(name), "sys/fs/cgroup%s/", cgroup);

	strcpy(name + len, "memory.max");
	fake_write(name, "%s\n", max);
	strcpy(name + len, "memory.high");
	fake_write(name, "%s\n", high);
	strcpy(name + len, "memory.current");
	fake_write(name, "%ld\n", usage);
	strcpy(name + len, "memory.stat");
	fake_write(name,
		   "anon %ld\nfile %ld\ninactive_file %ld\nactive_file 0\n"
		   "slab_reclaimable 0\nslab 0\n",
		   usage - cache, cache, cache);
}

void fake_machine(long total, long available)
{
	fake_write("proc/meminfo", "MemTotal:  %12ld kB\nMemFree: 1 kB\nMemAvailable: %9ld kB\n",
		   total << 10, available << 10);
}
