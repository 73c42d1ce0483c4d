/* SPDX-License-Identifier: MIT */
/*
 * The lists of a list_lru, by group. docs/list_lru.md has the whole protocol.
 *
 * A list is found without a lock, by the small id of its group:
 *
 *   table->branches[] -> branch->leaves[] -> leaf->lists[] -> list
 *
 * NULL: none was needed so far. What is there is never taken away before
 * list_lru_table_free(), but for the lists of groups that are removed:
 *
 *   ->lists of the group    its lists
 *   ------------------------------------------------------------------
 *   LISTS_NONE              there are none, in any list_lru
 *   LISTS_SOME              may be made, under table->lock
 *   LISTS_LEAVING           no more are made; one after the other they
 *                           are marked dead, and their slots cleared
 *   LISTS_GONE              there are none; the parent has what was there
 *
 * A list that was found may be locked until the end of the read section, and whoever
 * then finds it dead goes on to the parent. Whoever has locked one that is not
 * dead keeps it, and its group, from going.
 */
#ifndef SHRINKER_LIST_LRU_TABLE_H
#define SHRINKER_LIST_LRU_TABLE_H

#include "accounting/mem_cgroup.h"

enum lists_state {
	LISTS_NONE,
	LISTS_SOME,
	LISTS_LEAVING,
	LISTS_GONE,
};

struct lru_list {
	struct lock lock;
	struct list_head items; /* ->lock; the oldest first */
	unsigned long nr;	/* ->lock; also read bare, as an estimate */
	uint64_t memcg_id;	/* const */
	bool dead;		/* ->lock; the items are on a list above, or gone */
	struct rcu_head rcu;	/* dead */
};

#define LRU_LEAF_BITS	8
#define LRU_BRANCH_BITS 8
#define LRU_TABLE_BITS	(COUNTERS_INDEX_BITS - LRU_BRANCH_BITS - LRU_LEAF_BITS)

struct lru_branch;

struct list_lru_table {
	struct lock lock;      /* lists being made */
	int shrinker_id;       /* const */
	bool by_group;	       /* const; false: there is only the root's */
	struct list_head link; /* list_lrus_lock */
	struct mem_cgroup *(*group_of)(struct list_head *item); /* const; NULL: its object's */
	struct lru_list root;
	struct lru_branch *branches[1 << LRU_TABLE_BITS]; /* RCU; ->lock to write */
};

/*
 * Stands in a slot for a list that could not be made: the group's items are kept
 * by its parent, for as long as the group lives, for nobody could tell where an item
 * is if that changed. It is no list, and never locked.
 */
extern struct lru_list lru_list_above;

struct list_lru_table *list_lru_table_alloc(bool by_group, int shrinker_id);

/* With all lists; nobody uses any. */
void list_lru_table_free(struct list_lru_table *table);

/*
 * The list of @memcg; &lru_list_above if the parent has its items; NULL if it has
 * none so far, and @make is false. RCU, and a list is dead if it was passed on
 * meanwhile.
 */
struct lru_list *list_lru_table_find(struct list_lru_table *table, struct mem_cgroup *memcg,
				     bool make);

/* The list with that number, or NULL. RCU. */
struct lru_list *list_lru_table_at(struct list_lru_table *table, uint32_t small_id);

/*
 * The next number above @small_id that may have a list; 0 at the end. 0 is before the
 * first, which is the root's.
 */
uint32_t list_lru_table_next(struct list_lru_table *table, uint32_t small_id);

/*
 * The same as list_lru_table_find() of a group in the state LISTS_LEAVING: none is
 * made afterwards. NULL if there is none.
 */
struct lru_list *list_lru_table_last(struct list_lru_table *table, struct mem_cgroup *memcg);

/* The list is dead: nobody finds it any more, and it goes after a grace period. */
void list_lru_table_clear(struct list_lru_table *table, struct mem_cgroup *memcg);

#endif
