/* SPDX-License-Identifier: MIT */
/* Groups and their files, as tools/testing/selftests/cgroup has them. */
#ifndef TESTS_SHRINKER_CG_H
#define TESTS_SHRINKER_CG_H

#include <cgslab/memcg.h>

/* A group below @parent; the test fails if there is none. */
struct mem_cgroup *cg_create(struct mem_cgroup *parent, const char *name);

/* Removes it; the test fails if it stays. */
void cg_destroy(struct mem_cgroup *memcg);

/* Writes what must be accepted. */
void cg_write(struct mem_cgroup *memcg, const char *file, const char *value);

/* The number after @key in a file of keys and values; NULL: in a file of one value. */
uint64_t cg_read_key(struct mem_cgroup *memcg, const char *file, const char *key);

static inline uint64_t cg_current(struct mem_cgroup *memcg)
{
	return cg_read_key(memcg, "memory.current", NULL);
}

/* Whether they differ by no more than so many percent of their sum. */
bool values_close(uint64_t a, uint64_t b, unsigned int percent);

/*
 * Writes to memory.reclaim until usage is close to @goal, five times at most. Each
 * write must tell the truth: 0 if it got there, -EAGAIN if not. Returns whether it did.
 */
bool cg_reclaim_until(struct mem_cgroup *memcg, uint64_t goal);

#endif
