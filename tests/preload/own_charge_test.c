/* SPDX-License-Identifier: MIT */
/* The library starts a thread of its own: what that takes is not charged to the group at work. */
#include <dirent.h>
#include <stdlib.h>

#include <cgslab/memcg.h>

#include "tests/stress/check.h"

#define MUCH (32ul << 20)

static int count_threads(void)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;
	int count = 0;

	CHECK(dir, "no /proc");
	while ((entry = readdir(dir)))
		count += entry->d_name[0] != '.';
	closedir(dir);
	return count;
}

static uint64_t held_by(struct mem_cgroup *memcg)
{
	struct mem_cgroup_stat stat = {.size = sizeof(stat)};

	CHECK(!mem_cgroup_stat(memcg, &stat), "no numbers");
	return stat.object_bytes + stat.span_bytes;
}

int main(void)
{
	struct mem_cgroup *memcg = mem_cgroup_create(NULL, "tenant");
	void *volatile block;

	CHECK(memcg, "no group");
	CHECK(count_threads() == 1, "a thread too early");
	set_active_memcg(memcg);
	for (int i = 0; i < 2; i++) {
		block = malloc(MUCH);
		CHECK(block, "no memory");
		free(block);
	}
	set_active_memcg(NULL);
	CHECK(count_threads() == 2, "no thread was started");
	CHECK(held_by(memcg) == 0, "%lu bytes are left with the group", held_by(memcg));
	CHECK(!mem_cgroup_rmdir(memcg), "somebody is still inside");
	mem_cgroup_put(memcg);
	return 0;
}
