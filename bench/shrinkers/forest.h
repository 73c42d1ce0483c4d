/* SPDX-License-Identifier: MIT */
/*
 * What is walked over: groups in a tree, and the caches of a program that has objects in some
 * of them. The callbacks do next to nothing, so that what is measured is the walk; and what they
 * free is there again at once, so that all walks find the same.
 */
#ifndef BENCH_SHRINKERS_FOREST_H
#define BENCH_SHRINKERS_FOREST_H

#include <stdbool.h>
#include <stdint.h>

#include <cgslab/shrinker.h>

#include "bench/workloads/rng.h"

#define FOREST_TREES 2

struct forest {
	unsigned groups; /* leaves */
	unsigned nr_ids; /* small ids of its groups are below */
	struct mem_cgroup *root, *trees[FOREST_TREES];
	struct mem_cgroup **by_id; /* NULL: that is none of ours */
};

/* Of one scheme. */
struct caches {
	const struct scheme *scheme;
	unsigned registered;
	unsigned used; /* of them; every so many'th has objects */
	unsigned bits; /* how often one of them has objects in a group */
	bool stale;    /* each has had objects in each group, long ago */
	struct cache *cache;
};

/* How shrinkers are kept, and called for a group. */
struct scheme {
	/* For so many shrinkers at a time; before the first is made. */
	void (*init)(const struct forest *forest, unsigned shrinkers);
	struct shrinker *(*alloc)(void);
	void (*add)(struct shrinker *shrinker);	   /* registers it */
	void (*remove)(struct shrinker *shrinker); /* and frees it; no callback runs afterwards */
	void (*set_bit)(struct mem_cgroup *memcg, int id);
	unsigned long (*shrink)(struct mem_cgroup *memcg); /* returns how many were freed */
};

extern const struct scheme lockless;
extern const struct scheme locked; /* to be run under one of rwlocks */

/* Of each visit of a cache in a group: one batch is due, of so many objects. */
#define OBJECTS	 4096u
#define PRIORITY 6

void forest_grow(struct forest *forest);
struct mem_cgroup *forest_any_group(const struct forest *forest, struct rng *rng);

void caches_add(struct caches *caches, const struct forest *forest);

/* How many objects were scanned since the last call. */
uint64_t caches_scanned(const struct caches *caches, const struct forest *forest);

/* The shrinker of a cache that never has objects; registered. */
struct shrinker *passer_by_add(const struct scheme *scheme);

#endif
