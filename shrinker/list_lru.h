/* SPDX-License-Identifier: MIT */
/* What becomes of the lists of all list_lrus; docs/list_lru.md tells how. */
#ifndef SHRINKER_LIST_LRU_H
#define SHRINKER_LIST_LRU_H

#include <cgslab/list_lru.h>

/*
 * list_lru_init_memcg() for items that do not lie in objects: @group_of tells whose one
 * is. It is called with the item's list locked, so an owner that takes an item off before he
 * changes anything is still the one.
 */
int list_lru_init_apart(struct list_lru *lru, struct shrinker *shrinker,
			struct mem_cgroup *(*group_of)(struct list_head *item));

/*
 * For callbacks of walks: the head of the locked list. One that puts its item elsewhere on it
 * returns LRU_SKIP; the walk goes on with the item that came next before.
 */
struct list_head *list_lru_items(struct list_lru_one *list);

/*
 * @memcg is leaving, but all its objects are charged to it still: what is on its
 * lists passes to its parent's, or is dropped if they are @killed. removal_lock. May
 * wait for callbacks that have a list locked.
 */
void list_lrus_reparent(struct mem_cgroup *memcg, bool killed);

/* For fork_ops. */
void list_lrus_fork_prepare(void);
void list_lrus_fork_done(void);

#endif
