/* SPDX-License-Identifier: MIT */
/*
 * Lists of objects that could be freed, the oldest first, kept by group. They go
 * with a shrinker (<cgslab/shrinker.h>) that frees from the list of the group that is
 * short of memory:
 *
 *	static enum lru_status isolate(struct list_head *item, struct list_lru_one *list,
 *				       void *dispose)
 *	{
 *		struct entry *entry = list_entry(item, struct entry, lru);
 *
 *		if (entry->users)
 *			return LRU_ROTATE;
 *		list_lru_isolate_move(list, item, dispose);
 *		return LRU_REMOVED;
 *	}
 *
 *	static unsigned long scan(struct shrinker *shrinker, struct shrink_control *sc)
 *	{
 *		struct list_head dispose;
 *		unsigned long freed;
 *
 *		INIT_LIST_HEAD(&dispose);
 *		freed = list_lru_shrink_walk(&lru, sc, isolate, &dispose);
 *		free_entries(&dispose);
 *		return freed;
 *	}
 *
 * Names and meanings follow include/linux/list_lru.h.
 *
 * Locks. Each group has a list of its own, with a lock of its own. All functions may be
 * called from any thread, at the same time, with locks of the program's held, and
 * inside an RCU read section; not from a signal handler. What they do on one item
 * happens in some order. They wait for others that are on the same list.
 *
 * Groups. A list is made when a group gets its first item. When the group is
 * removed, what is on its list passes to its parent's, in front, before the charge
 * of its objects does; when it is killed the list is dropped, with the objects.
 * Should there be no memory for a list, the group's items are kept by its parent.
 * An item is a part of an object that is charged to the group that it is added
 * for, or to one below. It is taken off before the object is freed, and before it is
 * transferred (mem_cgroup_transfer()).
 *
 * fork: takes the locks of all lists, so whoever forks holds no lock that an isolate
 * callback waits for.
 */
#ifndef CGSLAB_LIST_LRU_H
#define CGSLAB_LIST_LRU_H

#include <cgslab/shrinker.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The program's, or <cgslab/list.h>; see there. */
struct list_head;

struct list_lru_table;
struct list_lru_one;

struct list_lru {
	struct list_lru_table *table; /* the library's */
};

/*
 * Lists by group, for @shrinker, which is SHRINKER_MEMCG_AWARE: an item that comes to
 * an empty list sets the shrinker's bit in the group of that list. Returns 0 or
 * -ENOMEM.
 */
int list_lru_init_memcg(struct list_lru *lru, struct shrinker *shrinker)
	CGSLAB_API(list_lru_init_memcg);

/* One list for all. The groups in the calls below are ignored then. */
int list_lru_init(struct list_lru *lru) CGSLAB_API(list_lru_init);

/*
 * Nobody uses it any more: its shrinker has been freed. What is on the lists is the
 * caller's. One that is all zeros, or destroyed already, is left alone.
 */
void list_lru_destroy(struct list_lru *lru) CGSLAB_API(list_lru_destroy);

/*
 * Makes @item the youngest of the group's list, unless it is on a list. @memcg (NULL:
 * the root) is held by the caller; @nid is 0. Returns whether it was added.
 */
bool list_lru_add(struct list_lru *lru, struct list_head *item, int nid, struct mem_cgroup *memcg)
	CGSLAB_API(list_lru_add);

/*
 * The same for the group that the object with @item in it is charged to; the root, if
 * that is no block of ours. (In a block of more than KMALLOC_MAX_CACHE_SIZE the
 * item must lie in the first 4096 bytes.)
 */
bool list_lru_add_obj(struct list_lru *lru, struct list_head *item) CGSLAB_API(list_lru_add_obj);

/*
 * Takes @item off, if it is on a list: that of the group that it was added for, or
 * of the nearest living one above. Returns whether it was. An item that was moved by
 * list_lru_isolate_move() belongs to who moved it.
 */
bool list_lru_del(struct list_lru *lru, struct list_head *item, int nid, struct mem_cgroup *memcg)
	CGSLAB_API(list_lru_del);

/* The same after list_lru_add_obj(). */
bool list_lru_del_obj(struct list_lru *lru, struct list_head *item) CGSLAB_API(list_lru_del_obj);

/* How many there are: of one group, without those below it; of all. Takes no lock. */
unsigned long list_lru_count_one(struct list_lru *lru, int nid, struct mem_cgroup *memcg)
	CGSLAB_API(list_lru_count_one);
unsigned long list_lru_count_node(struct list_lru *lru, int nid) CGSLAB_API(list_lru_count_node);

static inline unsigned long list_lru_count(struct list_lru *lru)
{
	return list_lru_count_node(lru, 0);
}

/* For count_objects(), which returns SHRINK_EMPTY instead of 0. */
static inline unsigned long list_lru_shrink_count(struct list_lru *lru, struct shrink_control *sc)
{
	return list_lru_count_one(lru, sc->nid, sc->memcg);
}

/* ---- Walks ---------------------------------------------------------------- */

enum lru_status {
	LRU_REMOVED,	   /* taken off, by list_lru_isolate() or _move() */
	LRU_REMOVED_RETRY, /* the same, and the lock was dropped */
	LRU_ROTATE,	   /* in use: to be looked at again as the youngest */
	LRU_SKIP,	   /* cannot be taken now; it stays where it is */
	LRU_RETRY,	   /* not taken, and the lock was dropped */
	LRU_STOP,	   /* the walk ends; the lock may have been dropped */
};

/*
 * What is to be done with @item, the oldest that the walk has not seen yet. Called
 * with the list locked. It may free, and take locks by trylock: others add and
 * delete with locks of theirs held. What it allocates is not refused, and causes no
 * reclaim. As long as the list is locked it may not use a list_lru but by the functions
 * below, nor fork, wait for a grace period, or remove a group.
 */
typedef enum lru_status (*list_lru_walk_cb)(struct list_head *item, struct list_lru_one *list,
					    void *cb_arg);

/* For the callback: takes @item off its list, or moves it to the front of @head. */
void list_lru_isolate(struct list_lru_one *list, struct list_head *item)
	CGSLAB_API(list_lru_isolate);
void list_lru_isolate_move(struct list_lru_one *list, struct list_head *item,
			   struct list_head *head) CGSLAB_API(list_lru_isolate_move);

/*
 * For the callback: drops the lock, for the rest of the call. From then on @list may
 * not be touched, and an item that was not taken off may go at any time. The walk
 * then starts over from the oldest.
 */
void list_lru_unlock(struct list_lru_one *list) CGSLAB_API(list_lru_unlock);

/*
 * Calls @isolate for items of the group's list, up to *@nr_to_walk of them, which is
 * counted down. Returns how many were taken off. Those above or below the group are
 * left alone.
 */
unsigned long list_lru_walk_one(struct list_lru *lru, int nid, struct mem_cgroup *memcg,
				list_lru_walk_cb isolate, void *cb_arg, unsigned long *nr_to_walk)
	CGSLAB_API(list_lru_walk_one);

/* The same, on the lists of all groups, one after the other. */
unsigned long list_lru_walk_node(struct list_lru *lru, int nid, list_lru_walk_cb isolate,
				 void *cb_arg, unsigned long *nr_to_walk)
	CGSLAB_API(list_lru_walk_node);

static inline unsigned long list_lru_walk(struct list_lru *lru, list_lru_walk_cb isolate,
					  void *cb_arg, unsigned long nr_to_walk)
{
	return list_lru_walk_node(lru, 0, isolate, cb_arg, &nr_to_walk);
}

/* For scan_objects(). */
static inline unsigned long list_lru_shrink_walk(struct list_lru *lru, struct shrink_control *sc,
						 list_lru_walk_cb isolate, void *cb_arg)
{
	return list_lru_walk_one(lru, sc->nid, sc->memcg, isolate, cb_arg, &sc->nr_to_scan);
}

#ifdef __cplusplus
}
#endif

#endif
