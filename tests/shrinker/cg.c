/* SPDX-License-Identifier: MIT */
#include "tests/shrinker/cg.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECLAIM_CLOSE 3 /* percent */
#define RECLAIM_TRIES 5

struct mem_cgroup *cg_create(struct mem_cgroup *parent, const char *name)
{
	struct mem_cgroup *memcg = mem_cgroup_create(parent, name);

	cr_assert_not_null(memcg, "%s", name);
	return memcg;
}

void cg_destroy(struct mem_cgroup *memcg)
{
	int err = mem_cgroup_rmdir(memcg);

	cr_assert_eq(err, 0, "rmdir of %s: %s", mem_cgroup_name(memcg), strerror(-err));
	mem_cgroup_put(memcg);
}

void cg_write(struct mem_cgroup *memcg, const char *file, const char *value)
{
	int err = mem_cgroup_write(memcg, file, value);

	cr_assert_eq(err, 0, "%s < %s: %s", file, value, strerror(-err));
}

uint64_t cg_read_key(struct mem_cgroup *memcg, const char *file, const char *key)
{
	char text[1024], *at = text;
	long n = mem_cgroup_read(memcg, file, text, sizeof(text));

	cr_assert(n > 0 && (size_t)n < sizeof(text), "%s: %ld", file, n);
	for (; key; at = strchr(at, '\n') + 1) {
		cr_assert_neq(*at, 0, "%s has no %s", file, key);
		if (!strncmp(at, key, strlen(key)) && at[strlen(key)] == ' ')
			break;
	}
	return strtoull(key ? at + strlen(key) : at, NULL, 10);
}

bool values_close(uint64_t a, uint64_t b, unsigned int percent)
{
	uint64_t difference = a > b ? a - b : b - a;

	return difference <= (a + b) / 100 * percent;
}

bool cg_reclaim_until(struct mem_cgroup *memcg, uint64_t goal)
{
	for (int tries = 0; tries < RECLAIM_TRIES; tries++) {
		uint64_t before = cg_current(memcg);
		char bytes[24];
		int err;

		if (before <= goal || values_close(before, goal, RECLAIM_CLOSE))
			return true;
		snprintf(bytes, sizeof(bytes), "%" PRIu64, before - goal);
		err = mem_cgroup_write(memcg, "memory.reclaim", bytes);
		cr_assert(err == 0 || err == -EAGAIN, "%d", err);
		if (err == 0)
			cr_expect_leq(cg_current(memcg), goal, "not what it said");
		else
			cr_expect_gt(cg_current(memcg), goal, "it was more than that");
	}
	return values_close(cg_current(memcg), goal, RECLAIM_CLOSE);
}
