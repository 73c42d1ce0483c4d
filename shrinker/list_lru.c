/* SPDX-License-Identifier: MIT */
#include "shrinker/list_lru.h"

#include <errno.h>

#include "alloc/base/message.h"
#include "alloc/slab/task.h"
#include "shrinker/list_lru_table.h"
#include "shrinker/shrinker_info.h"

static struct lock list_lrus_lock = LOCK_INIT(LOCK_RANK_LRUS);
static struct list_head list_lrus = LIST_HEAD_INIT(list_lrus); /* list_lrus_lock */

/* ---- The list of a group ------------------------------------------------ */

/* What is handed to callbacks; on the walker's stack. */
struct list_lru_one {
	struct lru_list *list; /* locked; NULL once the callback has dropped the lock */
};

/* Whose callback the calling thread is in; only to say so. */
static __thread const struct lru_list *walked __attribute__((tls_model("initial-exec")));

static void lock_list(struct lru_list *list)
{
	if (unlikely(list == walked))
		die("list_lru: a list is used by its own isolate callback");
	lock(&list->lock);
}

/*
 * Locks the list that has, or gets, the items of *@memcg, and sets *@memcg to the
 * group whose list it is. NULL if there is none, which cannot be with @make.
 *
 * The list is found under RCU: a dead one goes after a grace period. That holds until
 * we have the lock and know that it is not dead: then it cannot become so. Who holds
 * a list's lock waits for no grace period, and fork waits for none either when it
 * takes them; so they may be waited for in a read section.
 *
 * What is dead was passed on before anybody can know, under the same lock; so on the
 * way up no item is missed.
 */
static struct lru_list *lock_list_of(struct list_lru_table *table, struct mem_cgroup **memcg,
				     bool make)
{
	struct lru_list *list;

	rcu_read_lock();
	for (;; *memcg = (*memcg)->parent) {
		list = list_lru_table_find(table, *memcg, make);
		if (!list)
			break;
		if (list == &lru_list_above)
			continue;
		lock_list(list);
		if (likely(!list->dead))
			break;
		unlock(&list->lock); /* pairs with pass_on() */
	}
	rcu_read_unlock();
	return list;
}

/* ---- Adding and deleting ------------------------------------------------ */

/*
 * The bit is set in the group whose list is locked, which is not always the one that
 * was asked for, and before the lock is dropped: then the items may be elsewhere.
 */
static void add_nr(struct list_lru_table *table, struct lru_list *list, struct mem_cgroup *memcg,
		   unsigned long nr)
{
	bool was_empty = !list->nr;

	WRITE_ONCE(list->nr, list->nr + nr);
	/* After ->nr: pairs with list_lru_count_one() after the bit was cleared. */
	if (was_empty && nr && table->by_group)
		set_shrinker_bit(memcg, table->shrinker_id);
}

static void remove_one(struct lru_list *list, struct list_head *item)
{
	list_del_init(item);
	WRITE_ONCE(list->nr, list->nr - 1);
}

static bool add_item(struct list_lru_table *table, struct list_head *item, struct mem_cgroup *memcg)
{
	struct lru_list *list = lock_list_of(table, &memcg, true);
	bool add = list_empty(item);

	if (add) {
		list_add_tail(item, &list->items);
		add_nr(table, list, memcg, 1);
	}
	unlock(&list->lock);
	return add;
}

static bool del_item(struct list_lru_table *table, struct list_head *item, struct mem_cgroup *memcg)
{
	struct lru_list *list = lock_list_of(table, &memcg, false);
	bool del;

	if (!list)
		return false;
	del = !list_empty(item);
	if (del)
		remove_one(list, item);
	unlock(&list->lock);
	return del;
}

static struct mem_cgroup *group_or_root(struct mem_cgroup *memcg)
{
	return memcg ? memcg : &root_memcg;
}

bool list_lru_add(struct list_lru *lru, struct list_head *item, int nid, struct mem_cgroup *memcg)
{
	(void)nid;
	return add_item(lru->table, item, group_or_root(memcg));
}

bool list_lru_del(struct list_lru *lru, struct list_head *item, int nid, struct mem_cgroup *memcg)
{
	(void)nid;
	return del_item(lru->table, item, group_or_root(memcg));
}

/*
 * The object's group is the one it is charged to, or was a moment ago. It is the
 * parent only when the lists of the old one have been passed on: see
 * list_lrus_reparent().
 */
bool list_lru_add_obj(struct list_lru *lru, struct list_head *item)
{
	bool added;

	rcu_read_lock();
	added = add_item(lru->table, item, group_or_root(mem_cgroup_from_obj(item)));
	rcu_read_unlock();
	return added;
}

bool list_lru_del_obj(struct list_lru *lru, struct list_head *item)
{
	bool deleted;

	rcu_read_lock();
	deleted = del_item(lru->table, item, group_or_root(mem_cgroup_from_obj(item)));
	rcu_read_unlock();
	return deleted;
}

/* ---- Counting ----------------------------------------------------------- */

unsigned long list_lru_count_one(struct list_lru *lru, int nid, struct mem_cgroup *memcg)
{
	struct lru_list *list;
	unsigned long nr;

	(void)nid;
	rcu_read_lock();
	list = list_lru_table_find(lru->table, group_or_root(memcg), false);
	nr = list && list != &lru_list_above ? READ_ONCE(list->nr) : 0;
	rcu_read_unlock();
	return nr;
}

unsigned long list_lru_count_node(struct list_lru *lru, int nid)
{
	unsigned long nr = 0;
	uint32_t id = 0;

	(void)nid;
	while ((id = list_lru_table_next(lru->table, id))) {
		struct lru_list *list;

		rcu_read_lock();
		list = list_lru_table_at(lru->table, id);
		nr += list ? READ_ONCE(list->nr) : 0;
		rcu_read_unlock();
	}
	return nr;
}

/* ---- Walks -------------------------------------------------------------- */

static struct lru_list *locked_list(struct list_lru_one *one)
{
	if (unlikely(!one->list))
		die("list_lru: a callback uses its list after list_lru_unlock()");
	return one->list;
}

void list_lru_isolate(struct list_lru_one *one, struct list_head *item)
{
	remove_one(locked_list(one), item);
}

void list_lru_isolate_move(struct list_lru_one *one, struct list_head *item, struct list_head *head)
{
	remove_one(locked_list(one), item);
	list_add(item, head);
}

struct list_head *list_lru_items(struct list_lru_one *one)
{
	return &locked_list(one)->items;
}

void list_lru_unlock(struct list_lru_one *one)
{
	unlock(&locked_list(one)->lock);
	one->list = NULL;
	walked = NULL;
}

/* The list with that number, locked; NULL if there is none. RCU as in lock_list_of(). */
static struct lru_list *lock_list_at(struct list_lru_table *table, uint32_t small_id)
{
	struct lru_list *list;

	rcu_read_lock();
	list = list_lru_table_at(table, small_id);
	if (list) {
		lock_list(list);
		if (unlikely(list->dead)) {
			unlock(&list->lock);
			list = NULL;
		}
	}
	rcu_read_unlock();
	return list;
}

struct walk {
	list_lru_walk_cb isolate;
	void *cb_arg;
	unsigned long nr_to_walk;
	unsigned long isolated;
	bool stopped;
};

static bool is_removed(enum lru_status status)
{
	return status == LRU_REMOVED || status == LRU_REMOVED_RETRY;
}

/* Its callback says that it has taken so many off, which is what ->nr says, or else. */
static void check_status(const struct lru_list *list, unsigned long nr, enum lru_status status)
{
	if (unlikely(nr - list->nr != is_removed(status)))
		die("list_lru: a callback returned %d and took off %ld items", (int)status,
		    (long)(nr - list->nr));
}

/* One item. Returns false when the walk has to start over, or is over. */
static bool walk_item(struct walk *walk, struct lru_list *list, struct list_head *item)
{
	struct list_lru_one one = {list};
	unsigned long nr = list->nr;
	enum lru_status status;

	walk->nr_to_walk--;
	walked = list;
	status = walk->isolate(item, &one, walk->cb_arg);
	walked = NULL;
	walk->isolated += is_removed(status);
	walk->stopped = status == LRU_STOP;
	if (!one.list)
		return false;
	check_status(list, nr, status);
	if (status == LRU_ROTATE) {
		list_del_init(item);
		list_add_tail(item, &list->items);
	}
	if (status != LRU_STOP && status != LRU_RETRY && status != LRU_REMOVED_RETRY)
		return true;
	unlock(&list->lock);
	return false;
}

/* From the oldest on. Returns whether there is more to walk, from the oldest again. */
static bool walk_list(struct walk *walk, struct lru_list *list)
{
	struct list_head *item, *next;

	for (item = list->items.next; item != &list->items; item = next) {
		next = item->next;
		if (!walk->nr_to_walk)
			break;
		if (!walk_item(walk, list, item))
			return !walk->stopped && walk->nr_to_walk;
	}
	unlock(&list->lock);
	return false;
}

/* The callbacks may allocate: that must not lead back here. */
static void walk_at(struct list_lru_table *table, uint32_t small_id, struct walk *walk)
{
	unsigned int flags = memalloc_noreclaim_save();
	struct lru_list *list;

	do {
		list = lock_list_at(table, small_id);
	} while (list && walk_list(walk, list));
	memalloc_noreclaim_restore(flags);
}

unsigned long list_lru_walk_one(struct list_lru *lru, int nid, struct mem_cgroup *memcg,
				list_lru_walk_cb isolate, void *cb_arg, unsigned long *nr_to_walk)
{
	struct walk walk = {.isolate = isolate, .cb_arg = cb_arg, .nr_to_walk = *nr_to_walk};

	(void)nid;
	memcg = lru->table->by_group ? group_or_root(memcg) : &root_memcg;
	walk_at(lru->table, memcg_small_id(memcg), &walk);
	*nr_to_walk = walk.nr_to_walk;
	return walk.isolated;
}

unsigned long list_lru_walk_node(struct list_lru *lru, int nid, list_lru_walk_cb isolate,
				 void *cb_arg, unsigned long *nr_to_walk)
{
	struct walk walk = {.isolate = isolate, .cb_arg = cb_arg, .nr_to_walk = *nr_to_walk};
	uint32_t id = 0;

	(void)nid;
	while (!walk.stopped && walk.nr_to_walk && (id = list_lru_table_next(lru->table, id)))
		walk_at(lru->table, id, &walk);
	*nr_to_walk = walk.nr_to_walk;
	return walk.isolated;
}

/* ---- Removal of a group ------------------------------------------------- */

/* All of them, in front of those that are there. */
static void splice(struct list_head *from, struct list_head *to)
{
	if (list_empty(from))
		return;
	from->prev->next = to->next;
	to->next->prev = from->prev;
	to->next = from->next;
	from->next->prev = to;
	list_init(from);
}

/*
 * Everything happens with both locks held: who finds the list dead finds the items
 * further up. No other takes two, but fork; removal_lock and list_lrus_lock see to that.
 */
static void pass_on(struct list_lru_table *table, struct lru_list *list, struct mem_cgroup *parent)
{
	struct lru_list *to = lock_list_of(table, &parent, true);

	lock_nested(&list->lock);
	splice(&list->items, &to->items);
	add_nr(table, to, parent, list->nr);
	WRITE_ONCE(list->nr, 0);
	list->dead = true; /* pairs with lock_list_of() */
	unlock(&list->lock);
	unlock(&to->lock);
}

/* The objects go with their links. */
static void drop(struct lru_list *list)
{
	lock(&list->lock);
	list_init(&list->items);
	WRITE_ONCE(list->nr, 0);
	list->dead = true; /* pairs with lock_list_at() */
	unlock(&list->lock);
}

/* The group whose item that is. */
static struct mem_cgroup *group_of(const struct list_lru_table *table, struct list_head *item)
{
	return table->group_of ? table->group_of(item) : mem_cgroup_from_obj(item);
}

/* The same where there is no list of the group: they are on one above. */
static void drop_above(struct list_lru_table *table, struct mem_cgroup *memcg)
{
	struct mem_cgroup *above = memcg->parent;
	struct lru_list *list = lock_list_of(table, &above, true);
	struct list_head *item, *next;

	for (item = list->items.next; item != &list->items; item = next) {
		next = item->next;
		if (group_of(table, item) == memcg)
			remove_one(list, item);
	}
	unlock(&list->lock);
}

static void reparent(struct list_lru_table *table, struct mem_cgroup *memcg, bool killed)
{
	struct lru_list *list = list_lru_table_last(table, memcg);

	if (!list)
		return;
	if (list != &lru_list_above && killed)
		drop(list);
	else if (list != &lru_list_above)
		pass_on(table, list, memcg->parent);
	else if (killed)
		drop_above(table, memcg);
	list_lru_table_clear(table, memcg);
}

/*
 * Before the obj_cgroups of the group are: whoever finds that an object is the
 * parent's finds its item there too.
 *
 * Most groups never have a list, and are done with in one step.
 */
void list_lrus_reparent(struct mem_cgroup *memcg, bool killed)
{
	struct list_lru_table *table;
	uint8_t none = LISTS_NONE;

	/* Pairs with the same in note_lists(). */
	if (cmpxchg_acq_rel(&memcg->lists, &none, (uint8_t)LISTS_GONE))
		return;
	/* Pairs with find_or_make(), through each table->lock. */
	store_release(&memcg->lists, (uint8_t)LISTS_LEAVING);
	rcu_take_in_thread();
	lock(&list_lrus_lock);
	list_for_each_entry (table, &list_lrus, link)
		reparent(table, memcg, killed);
	unlock(&list_lrus_lock);
	/* Pairs with list_lru_table_find(). */
	store_release(&memcg->lists, (uint8_t)LISTS_GONE);
}

/* ---- Life --------------------------------------------------------------- */

static int init(struct list_lru *lru, bool by_group, int shrinker_id)
{
	lru->table = list_lru_table_alloc(by_group, shrinker_id);
	if (!lru->table)
		return -ENOMEM;
	lock(&list_lrus_lock);
	list_add_tail(&lru->table->link, &list_lrus);
	unlock(&list_lrus_lock);
	return 0;
}

int list_lru_init(struct list_lru *lru)
{
	slab_init();
	return init(lru, false, -1);
}

int list_lru_init_apart(struct list_lru *lru, struct shrinker *shrinker,
			struct mem_cgroup *(*owner)(struct list_head *item))
{
	int err;

	slab_init();
	get_default_call_rcu_data(); /* not with locks held, when the first list goes */
	if (shrinker_info_reserve(&root_memcg, shrinker->id))
		return -ENOMEM;
	err = init(lru, true, shrinker->id);
	if (!err)
		lru->table->group_of = owner; /* before the first item comes */
	return err;
}

int list_lru_init_memcg(struct list_lru *lru, struct shrinker *shrinker)
{
	return list_lru_init_apart(lru, shrinker, NULL);
}

void list_lru_destroy(struct list_lru *lru)
{
	if (!lru->table)
		return;
	lock(&list_lrus_lock); /* a removal may be at it */
	list_del_init(&lru->table->link);
	unlock(&list_lrus_lock);
	list_lru_table_free(lru->table);
	lru->table = NULL;
}

/* ---- fork --------------------------------------------------------------- */

static void for_each_list(void (*fn)(struct lru_list *list))
{
	struct list_lru_table *table;

	list_for_each_entry (table, &list_lrus, link) {
		uint32_t id = 0;

		while ((id = list_lru_table_next(table, id))) {
			struct lru_list *list = list_lru_table_at(table, id);

			if (list)
				fn(list);
		}
	}
}

static void fork_lock(struct lru_list *list)
{
	lock_nested(&list->lock);
}

static void fork_unlock(struct lru_list *list)
{
	unlock(&list->lock);
}

/* The tables first: then no list comes. None goes, as nobody is removed. */
void list_lrus_fork_prepare(void)
{
	struct list_lru_table *table;

	lock(&list_lrus_lock);
	list_for_each_entry (table, &list_lrus, link)
		lock_nested(&table->lock);
	for_each_list(fork_lock);
}

void list_lrus_fork_done(void)
{
	struct list_lru_table *table;

	for_each_list(fork_unlock);
	list_for_each_entry (table, &list_lrus, link)
		unlock(&table->lock);
	unlock(&list_lrus_lock);
}
