/* SPDX-License-Identifier: MIT */
/*
 * The caches of a test: of each group a list of objects that hold nothing, which a
 * shrinker gives up, the oldest first. In the kernel's self-tests this is page
 * cache; what is taken by pin() is anonymous memory without swap.
 */
#ifndef TESTS_SHRINKER_HOARD_H
#define TESTS_SHRINKER_HOARD_H

#include <cgslab/shrinker.h>

#define MB(n)	     ((uint64_t)(n) << 20)
#define HOARD_OBJECT 4096ul /* bytes, as charged */

struct hoard;

/* Registers the shrinker of all hoards; further flags for it. The machine is not watched. */
void hoards_begin(unsigned int flags);

/* Frees it. No hoard is left. */
void hoards_end(void);

struct hoard *hoard_create(struct mem_cgroup *memcg);
void hoard_destroy(struct hoard *hoard);

/*
 * Adds objects of so many bytes together, or as many as the group is granted; @gfp as
 * for kmalloc(). Returns the bytes.
 */
uint64_t hoard_fill(struct hoard *hoard, uint64_t bytes, gfp_t gfp);

/* Objects that are there now. */
unsigned long hoard_objects(struct hoard *hoard);

/* What the shrinker was asked for, in all; how often it was asked what there is. */
unsigned long hoards_scanned(void);
unsigned long hoards_counted(void);

/* Whether the last scan was by the calling thread. */
bool hoards_scanned_by_me(void);

/*
 * The shrinker waits while the calling thread has this: the lock that it takes too.
 */
void hoards_lock(void);
void hoards_unlock(void);

/* Memory of @memcg that no shrinker gives back. */
struct pinned {
	struct pinned *next;
};

/* Allocates so many bytes, or what the group is granted; adds them to @list. Returns the bytes. */
uint64_t pin(struct mem_cgroup *memcg, uint64_t bytes, gfp_t gfp, struct pinned **list);
void unpin(struct pinned **list);

#endif
