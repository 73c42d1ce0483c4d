/* SPDX-License-Identifier: MIT */
#include "accounting/mem_cgroup.h"

#include <errno.h>
#include <string.h>

#include "accounting/memcg_more.h"
#include "accounting/obj_cgroup.h"
#include "accounting/obj_stock.h"
#include "accounting/reclaim_ops.h"
#include "accounting/reserve.h"
#include "alloc/base/message.h"
#include "alloc/base/meta.h"

struct lock removal_lock = LOCK_INIT(LOCK_RANK_REMOVAL);
struct lock cgroup_lock = LOCK_INIT(LOCK_RANK_TREE);
struct mem_cgroup root_memcg;
struct mem_cgroup *process_memcg;
struct memcg_ops memcg_ops;

static uint64_t nr_structs; /* atomic: of groups, but the root's, not freed yet */

/* ---- References --------------------------------------------------------- */

void mem_cgroup_get(struct mem_cgroup *memcg)
{
	atomic_add(&memcg->refcnt, 1);
}

bool mem_cgroup_tryget(struct mem_cgroup *memcg)
{
	int64_t refs = READ_ONCE(memcg->refcnt);

	do {
		if (refs == 0)
			return false;
	} while (!cmpxchg_acquire(&memcg->refcnt, &refs, refs + 1));
	return true;
}

bool mem_cgroup_tryget_online(struct mem_cgroup *memcg)
{
	/* Pairs with the release in memcg_unlink(). */
	if (!load_acquire(&memcg->online))
		return false;
	return mem_cgroup_tryget(memcg);
}

static void memcg_free_rcu(struct rcu_head *rcu)
{
	struct mem_cgroup *memcg = container_of(rcu, struct mem_cgroup, rcu);

	/* Uncharging looks at the record under RCU, so it goes only now. */
	counters_free(memcg->memory.record);
	memcg_more_free(memcg);
	meta_free(memcg, sizeof(*memcg));
	atomic_sub(&nr_structs, 1);
}

/* The last reference is gone; nothing is charged to the group any more. */
static void memcg_release(struct mem_cgroup *memcg)
{
	rcu_take_in_thread();
	lock(&cgroup_lock);
	list_del_rcu(&memcg->sibling);
	memcg_remove_id(memcg);
	unlock(&cgroup_lock);
	if (reclaim_ops.release)
		reclaim_ops.release(memcg);
	obj_cgroup_put(memcg->objcg); /* the group's */
	call_rcu(&memcg->rcu, memcg_free_rcu);
}

void mem_cgroup_put(struct mem_cgroup *memcg)
{
	while (memcg && atomic_sub_acq_rel(&memcg->refcnt, 1) == 0) {
		struct mem_cgroup *parent = memcg->parent;

		memcg_release(memcg);
		memcg = parent; /* the child's */
	}
}

/* ---- Birth -------------------------------------------------------------- */

static void memcg_setup(struct mem_cgroup *memcg, struct mem_cgroup *parent,
			struct counters_record *record, const char *name)
{
	record->memory.max = COUNTERS_NO_LIMIT;
	record->memory.high = COUNTERS_NO_LIMIT;
	record->swap.max = COUNTERS_NO_LIMIT;
	record->swap.high = COUNTERS_NO_LIMIT;
	record->zswap_max = COUNTERS_NO_LIMIT;
	record->parent = counters_index(parent ? parent->memory.record : record);
	strncpy(record->name, name, MEMCG_NAME_MAX);
	memcg->memory = (struct page_counter){
		.record = record,
		.level = &record->memory,
		.parent = parent ? &parent->memory : NULL,
	};
	memcg->swap = (struct page_counter){
		.record = record,
		.level = &record->swap,
		.parent = parent ? &parent->swap : NULL,
	};
	memcg->parent = parent;
	memcg->refcnt = 1;
	list_init(&memcg->children);
	list_init(&memcg->sibling);
	list_init(&memcg->objcg_list);
}

static void count_descendants(struct mem_cgroup *memcg, uint32_t more)
{
	for (; memcg; memcg = memcg->parent)
		WRITE_ONCE(memcg->nr_descendants, memcg->nr_descendants + more);
}

/* The other way round at rmdir; the name and the id are there. cgroup_lock. */
static void memcg_link(struct mem_cgroup *memcg)
{
	struct mem_cgroup *parent = memcg->parent;

	store_release(&memcg->online, true); /* pairs with mem_cgroup_tryget_online() */
	if (parent) {
		mem_cgroup_get(parent); /* the child's, for ->parent */
		list_add_tail_rcu(&memcg->sibling, &parent->children);
		parent->nr_children++;
		count_descendants(parent, 1);
	}
	store_release(&memcg->memory.record->state, (uint32_t)COUNTERS_ONLINE);
}

/* Makes the group visible, or says why not. */
static int memcg_add(struct mem_cgroup *memcg, const char *name)
{
	int err = 0;

	lock(&cgroup_lock);
	if (memcg->parent && !memcg_is_staying(memcg->parent))
		err = -ENODEV;
	else if (memcg->parent && memcg_find_child(memcg->parent, name))
		err = -EEXIST;
	else
		err = memcg_add_id(memcg);
	if (!err) {
		memcg_add_name(memcg);
		mem_cgroup_get(memcg); /* the tree's */
		memcg_link(memcg);
	}
	unlock(&cgroup_lock);
	return err;
}

/* Of a group that never was in the tree. */
static void memcg_discard(struct mem_cgroup *memcg)
{
	if (memcg->objcg)
		meta_free(memcg->objcg, sizeof(*memcg->objcg));
	if (memcg->memory.record)
		counters_free(memcg->memory.record);
	meta_free(memcg, sizeof(*memcg));
	atomic_sub(&nr_structs, 1);
}

static int memcg_make(struct mem_cgroup *memcg, struct mem_cgroup *parent, const char *name)
{
	struct counters_record *record = counters_alloc();

	if (!record)
		return -ENOMEM;
	memcg_setup(memcg, parent, record, name);
	memcg->objcg = obj_cgroup_alloc(memcg);
	return memcg->objcg ? memcg_add(memcg, name) : -ENOMEM;
}

struct mem_cgroup *mem_cgroup_create(struct mem_cgroup *parent, const char *name)
{
	struct mem_cgroup *memcg;
	int err;

	if (!name || !memcg_name_is_valid(name)) {
		errno = EINVAL;
		return NULL;
	}
	counters_own();
	memcg = meta_alloc(sizeof(*memcg));
	if (!memcg) {
		errno = ENOMEM;
		return NULL;
	}
	atomic_add(&nr_structs, 1);
	err = memcg_make(memcg, parent ? parent : process_memcg, name);
	if (err) {
		memcg_discard(memcg);
		errno = -err;
		return NULL;
	}
	return memcg;
}

int mem_cgroups_init(void)
{
	if (counters_init() || memcg_make(&root_memcg, NULL, ""))
		return -ENOMEM;
	process_memcg = mem_cgroup_create(&root_memcg, "process");
	return process_memcg ? 0 : -ENOMEM;
}

/* ---- Removal ------------------------------------------------------------ */

static void count_dying(struct mem_cgroup *memcg, uint32_t more)
{
	for (; memcg; memcg = memcg->parent)
		WRITE_ONCE(memcg->nr_dying_descendants, memcg->nr_dying_descendants + more);
}

void memcg_bury_one(struct mem_cgroup *memcg)
{
	count_dying(memcg, -1u);
}

/* It will be taken offline, whatever happens. cgroup_lock. */
static void memcg_leave(struct mem_cgroup *memcg)
{
	/* Pairs with memcg_shrink_begin(). */
	store_release(&memcg->leaving, true);
}

/* Nobody finds the group from now on. cgroup_lock. */
static void memcg_unlink(struct mem_cgroup *memcg)
{
	struct mem_cgroup *parent = memcg->parent;

	/* Pairs with the acquire in mem_cgroup_tryget_online(). */
	store_release(&memcg->online, false);
	memcg_invalidate_iters(memcg);
	store_release(&memcg->memory.record->state, (uint32_t)COUNTERS_DYING);
	memcg_remove_name(memcg);
	parent->nr_children--;
	count_descendants(parent, -1u);
	count_dying(parent, 1);
}

/*
 * Takes a closed group without children out of the tree; what is charged to it
 * passes to its parent. Returns how many references of it the caller is to put,
 * without the lock. cgroup_lock.
 */
static int64_t memcg_offline(struct mem_cgroup *memcg)
{
	int64_t handed_over;

	memcg_unlink(memcg);
	handed_over = memcg_reparent_objcgs(memcg);
	page_counter_set_min(&memcg->memory, 0);
	page_counter_set_low(&memcg->memory, 0);
	memcg_give_up_reserve(memcg);
	/* Dead descendants are the parent's, whose number has them already. */
	WRITE_ONCE(memcg->nr_dying_descendants, 0);
	memcg_ops.release_heaps(memcg);
	return handed_over + 1; /* the tree's */
}

/*
 * Keeps threads out of the group, for good, or says why not. What the layers above
 * keep for it is theirs to pass on then, before it is taken offline: a list_lru is
 * found through the obj_cgroup of an object, so it has to be the parent's before
 * that is. removal_lock.
 */
static int memcg_close(struct mem_cgroup *memcg)
{
	int err = 0;

	lock(&cgroup_lock);
	if (!memcg->online)
		err = -ENODEV;
	else if (memcg->nr_children || !memcg_ops.close_heaps(memcg))
		err = -EBUSY;
	else
		memcg_leave(memcg);
	unlock(&cgroup_lock);
	return err;
}

/* No lock but removal_lock: the layers above have some below cgroup_lock. */
static void reparent_above(struct mem_cgroup *memcg, bool killed)
{
	if (reclaim_ops.reparent)
		reclaim_ops.reparent(memcg, killed);
}

/* The groups that may go, and what taking them offline needs. No lock is held. */
static int begin_offline(const struct mem_cgroup *memcg)
{
	if (memcg == &root_memcg || memcg == process_memcg)
		return -EINVAL;
	counters_own();
	/* Its thread is started here rather than in some free(). */
	get_default_call_rcu_data();
	rcu_take_in_thread();
	return 0;
}

int mem_cgroup_rmdir(struct mem_cgroup *memcg)
{
	int64_t refs = 0;
	int err = begin_offline(memcg);

	if (err)
		return err;
	lock(&removal_lock);
	err = memcg_close(memcg);
	if (!err) {
		reparent_above(memcg, false);
		lock(&cgroup_lock);
		refs = memcg_offline(memcg);
		unlock(&cgroup_lock);
	}
	unlock(&removal_lock);
	while (refs--)
		mem_cgroup_put(memcg);
	return err;
}

/* ---- The tree ----------------------------------------------------------- */

/* The first online group from @node on. */
static struct mem_cgroup *first_online(const struct list_head *node, const struct list_head *end)
{
	for (; node != end; node = list_next_rcu(node)) {
		struct mem_cgroup *memcg = container_of(node, struct mem_cgroup, sibling);

		if (load_acquire(&memcg->online))
			return memcg;
	}
	return NULL;
}

/*
 * A removed group has no online descendants, and stays on its parent's list
 * until its last reference is gone; what was taken off the list within the
 * caller's read section still leads on.
 */
struct mem_cgroup *memcg_next(struct mem_cgroup *pos, struct mem_cgroup *root)
{
	struct mem_cgroup *next = first_online(list_next_rcu(&pos->children), &pos->children);

	for (; !next && pos != root; pos = pos->parent)
		next = first_online(list_next_rcu(&pos->sibling), &pos->parent->children);
	return next;
}

bool mem_cgroup_is_descendant(const struct mem_cgroup *memcg, const struct mem_cgroup *root)
{
	while (memcg && memcg != root)
		memcg = memcg->parent;
	return memcg;
}

struct mem_cgroup *mem_cgroup_root(void)
{
	return &root_memcg;
}

struct mem_cgroup *mem_cgroup_parent(struct mem_cgroup *memcg)
{
	return memcg->parent;
}

uint64_t mem_cgroup_nr_descendants(const struct mem_cgroup *memcg)
{
	return READ_ONCE(memcg->nr_descendants);
}

uint64_t mem_cgroup_nr_dying_descendants(const struct mem_cgroup *memcg)
{
	return READ_ONCE(memcg->nr_dying_descendants);
}

bool mem_cgroup_populated(struct mem_cgroup *memcg)
{
	bool populated;

	rcu_take_in_thread();
	lock(&cgroup_lock);
	populated = memcg->online && memcg_ops.has_threads(memcg);
	unlock(&cgroup_lock);
	return populated;
}

uint64_t memcg_nr_structs(void)
{
	return READ_ONCE(nr_structs);
}

/* ---- A subtree with all it has ------------------------------------------- */

/* All groups of the subtree, or none. cgroup_lock. */
static int __close_subtree(struct mem_cgroup *root)
{
	struct mem_cgroup *memcg, *busy = NULL;

	if (!root->online)
		return -ENODEV;
	for_each_memcg (memcg, root) {
		if (!memcg_ops.close_heaps(memcg)) {
			busy = memcg;
			break;
		}
	}
	for (memcg = root; memcg != busy; memcg = memcg_next(memcg, root)) {
		if (busy)
			memcg_ops.open_heaps(memcg);
		else
			memcg_leave(memcg);
	}
	return busy ? -EBUSY : 0;
}

/* As memcg_close(). removal_lock. */
static int close_subtree(struct mem_cgroup *root)
{
	int err;

	lock(&cgroup_lock);
	err = __close_subtree(root);
	unlock(&cgroup_lock);
	return err;
}

static struct mem_cgroup *first_leaf(struct mem_cgroup *memcg)
{
	struct mem_cgroup *child;

	while ((child = first_online(list_next_rcu(&memcg->children), &memcg->children)))
		memcg = child;
	return memcg;
}

/* What comes after a group, its parent after its siblings. */
static struct mem_cgroup *next_leaf(struct mem_cgroup *memcg)
{
	struct mem_cgroup *next =
		first_online(list_next_rcu(&memcg->sibling), &memcg->parent->children);

	return next ? first_leaf(next) : memcg->parent;
}

/*
 * Children first. None of the groups comes or goes under removal_lock, once all are
 * leaving; what is dead among them may go, but for the read section.
 */
static void reparent_subtree(struct mem_cgroup *root)
{
	struct mem_cgroup *memcg = NULL;

	do {
		rcu_read_lock();
		memcg = memcg ? next_leaf(memcg) : first_leaf(root);
		rcu_read_unlock();
		reparent_above(memcg, true);
	} while (memcg != root);
}

/* Children first. Returns the groups, chained by ->killed. cgroup_lock. */
static struct mem_cgroup *offline_subtree(struct mem_cgroup *root,
					  void (*empty)(struct mem_cgroup *memcg, void *arg),
					  void *arg)
{
	struct mem_cgroup *memcg = NULL, *killed = NULL;

	do {
		memcg = memcg ? next_leaf(memcg) : first_leaf(root);
		empty(memcg, arg);
		memcg->killed.refs = memcg_offline(memcg);
		memcg->killed.next = killed;
		killed = memcg;
	} while (memcg != root);
	return killed;
}

int memcg_begin_kill(struct mem_cgroup *root)
{
	int err = begin_offline(root);

	return err ? err : memcg_bar_shrinks(root);
}

int memcg_offline_subtree(struct mem_cgroup *root,
			  void (*empty)(struct mem_cgroup *memcg, void *arg), void *arg,
			  struct mem_cgroup **killed)
{
	int err;

	lock(&removal_lock);
	err = close_subtree(root);
	if (!err) {
		reparent_subtree(root);
		lock(&cgroup_lock);
		*killed = offline_subtree(root, empty, arg);
		unlock(&cgroup_lock);
	}
	unlock(&removal_lock);
	memcg_unbar_shrinks(root);
	return err;
}

void memcg_put_killed(struct mem_cgroup *killed)
{
	while (killed) {
		struct mem_cgroup *memcg = killed;
		int64_t refs = memcg->killed.refs;

		killed = memcg->killed.next;
		while (refs--)
			mem_cgroup_put(memcg);
	}
}
