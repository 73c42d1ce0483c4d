/* SPDX-License-Identifier: MIT */
#include "accounting/mem_cgroup.h"

#include <errno.h>
#include <string.h>

#include "accounting/obj_cgroup.h"
#include "accounting/obj_stock.h"
#include "alloc/base/message.h"
#include "alloc/base/meta.h"

struct lock cgroup_lock = LOCK_INIT(LOCK_RANK_TREE);
struct mem_cgroup root_memcg;
struct mem_cgroup *process_memcg;
struct memcg_ops memcg_ops;

static uint64_t last_id; /* cgroup_lock */

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
	meta_free(memcg, sizeof(*memcg));
}

/* The last reference is gone; nothing is charged to the group any more. */
static void memcg_release(struct mem_cgroup *memcg)
{
	struct mem_cgroup *parent = memcg->parent;

	lock(&cgroup_lock);
	parent->nr_dying--;
	unlock(&cgroup_lock);
	obj_cgroup_put(memcg->objcg);
	call_rcu(&memcg->rcu, memcg_free_rcu);
	mem_cgroup_put(parent);
}

void mem_cgroup_put(struct mem_cgroup *memcg)
{
	if (memcg && atomic_sub_acq_rel(&memcg->refcnt, 1) == 0)
		memcg_release(memcg);
}

/* ---- The tree ----------------------------------------------------------- */

static bool name_is_valid(const char *name)
{
	size_t len = strnlen(name, MEMCG_NAME_MAX + 1);

	if (len == 0 || len > MEMCG_NAME_MAX || !strcmp(name, ".") || !strcmp(name, ".."))
		return false;
	for (size_t i = 0; i < len; i++)
		if (name[i] == '/' || (unsigned char)name[i] < ' ' || name[i] == 127)
			return false;
	return true;
}

/* cgroup_lock. */
static struct mem_cgroup *find_child(struct mem_cgroup *parent, const char *name)
{
	struct mem_cgroup *child;

	list_for_each_entry (child, &parent->children, sibling)
		if (!strcmp(child->memory.record->name, name))
			return child;
	return NULL;
}

static void memcg_setup(struct mem_cgroup *memcg, struct mem_cgroup *parent,
			struct counters_record *record, const char *name)
{
	record->max = COUNTERS_NO_LIMIT;
	record->high = COUNTERS_NO_LIMIT;
	record->parent = counters_index(parent ? parent->memory.record : record);
	strncpy(record->name, name, MEMCG_NAME_MAX);
	memcg->memory.record = record;
	memcg->memory.parent = parent ? &parent->memory : NULL;
	memcg->parent = parent;
	memcg->refcnt = 1;
	list_init(&memcg->children);
	list_init(&memcg->sibling);
	list_init(&memcg->objcg_list);
}

/* Makes the group visible. cgroup_lock. */
static void memcg_link(struct mem_cgroup *memcg)
{
	memcg->id = ++last_id;
	memcg->memory.record->id = memcg->id;
	if (memcg->parent) {
		mem_cgroup_get(memcg->parent); /* the child's, for its parent */
		list_add_tail(&memcg->sibling, &memcg->parent->children);
	}
	memcg->online = true;
	store_release(&memcg->memory.record->state, (uint32_t)COUNTERS_ONLINE);
}

static int memcg_add(struct mem_cgroup *memcg, const char *name)
{
	int err = 0;

	lock(&cgroup_lock);
	if (!memcg->parent->online)
		err = ENODEV;
	else if (find_child(memcg->parent, name))
		err = EEXIST;
	else
		memcg_link(memcg);
	if (!err)
		mem_cgroup_get(memcg); /* the tree's */
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
}

struct mem_cgroup *mem_cgroup_create(struct mem_cgroup *parent, const char *name)
{
	struct counters_record *record;
	struct mem_cgroup *memcg;
	int err;

	if (!name || !name_is_valid(name)) {
		errno = EINVAL;
		return NULL;
	}
	counters_own();
	memcg = meta_alloc(sizeof(*memcg));
	record = memcg ? counters_alloc() : NULL;
	if (!record) {
		meta_free(memcg, sizeof(*memcg));
		errno = ENOMEM;
		return NULL;
	}
	memcg_setup(memcg, parent ? parent : process_memcg, record, name);
	memcg->objcg = obj_cgroup_alloc(memcg);
	err = memcg->objcg ? memcg_add(memcg, name) : ENOMEM;
	if (err) {
		memcg_discard(memcg);
		errno = err;
		return NULL;
	}
	return memcg;
}

int mem_cgroups_init(void)
{
	struct counters_record *record;

	if (counters_init())
		return -ENOMEM;
	record = counters_alloc();
	if (!record)
		return -ENOMEM;
	memcg_setup(&root_memcg, NULL, record, "");
	root_memcg.objcg = obj_cgroup_alloc(&root_memcg);
	if (!root_memcg.objcg)
		return -ENOMEM;
	memcg_link(&root_memcg);
	process_memcg = mem_cgroup_create(&root_memcg, "process");
	return process_memcg ? 0 : -ENOMEM;
}

/*
 * Takes a closed group without children out of the tree. Returns how many
 * references of it the caller is to put, without the lock. cgroup_lock.
 */
static int64_t memcg_offline(struct mem_cgroup *memcg)
{
	/* Pairs with the acquire in mem_cgroup_tryget_online(). */
	store_release(&memcg->online, false);
	store_release(&memcg->memory.record->state, (uint32_t)COUNTERS_DYING);
	list_del_init(&memcg->sibling);
	memcg->parent->nr_dying++;
	memcg_ops.release_heaps(memcg);
	/* Its objcgs', which have the parent's now, and the tree's. */
	return memcg_reparent_objcgs(memcg) + 1;
}

/* Keeps threads out of the group, or says why not. cgroup_lock. */
static int memcg_close(struct mem_cgroup *memcg)
{
	if (!memcg->online)
		return -ENODEV;
	if (!list_empty(&memcg->children) || !memcg_ops.close_heaps(memcg))
		return -EBUSY;
	return 0;
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
	lock(&cgroup_lock);
	err = memcg_close(memcg);
	if (!err)
		refs = memcg_offline(memcg);
	unlock(&cgroup_lock);
	while (refs--)
		mem_cgroup_put(memcg);
	return err;
}

/* ---- A subtree with all it has ------------------------------------------- */

/* All groups of the subtree, or none. cgroup_lock. */
static int close_subtree(struct mem_cgroup *root)
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
	if (!busy)
		return 0;
	for (memcg = root; memcg != busy; memcg = memcg_next(memcg, root))
		memcg_ops.open_heaps(memcg);
	return -EBUSY;
}

static struct mem_cgroup *first_leaf(struct mem_cgroup *memcg)
{
	while (!list_empty(&memcg->children))
		memcg = list_first_entry(&memcg->children, struct mem_cgroup, sibling);
	return memcg;
}

/* Children first. Returns the groups, chained by ->killed. cgroup_lock. */
static struct mem_cgroup *offline_subtree(struct mem_cgroup *root,
					  void (*empty)(struct mem_cgroup *memcg, void *arg),
					  void *arg)
{
	struct mem_cgroup *memcg, *killed = NULL;

	do {
		memcg = first_leaf(root);
		empty(memcg, arg);
		memcg->killed.refs = memcg_offline(memcg);
		memcg->killed.next = killed;
		killed = memcg;
	} while (memcg != root);
	return killed;
}

int memcg_offline_subtree(struct mem_cgroup *root,
			  void (*empty)(struct mem_cgroup *memcg, void *arg), void *arg,
			  struct mem_cgroup **killed)
{
	int err = begin_offline(root);

	if (err)
		return err;
	lock(&cgroup_lock);
	err = close_subtree(root);
	if (!err)
		*killed = offline_subtree(root, empty, arg);
	unlock(&cgroup_lock);
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

struct mem_cgroup *mem_cgroup_lookup(struct mem_cgroup *parent, const char *name)
{
	struct mem_cgroup *child;

	lock(&cgroup_lock);
	child = find_child(parent ? parent : process_memcg, name);
	if (child)
		mem_cgroup_get(child);
	unlock(&cgroup_lock);
	return child;
}

struct mem_cgroup *memcg_next(struct mem_cgroup *pos, struct mem_cgroup *root)
{
	if (!list_empty(&pos->children))
		return list_first_entry(&pos->children, struct mem_cgroup, sibling);
	while (pos != root) {
		struct list_head *next = pos->sibling.next;

		if (next != &pos->parent->children)
			return container_of(next, struct mem_cgroup, sibling);
		pos = pos->parent;
	}
	return NULL;
}

/*
 * The sibling after @pos, which may have been removed: children are in the
 * order of their ids. cgroup_lock.
 */
static struct mem_cgroup *next_sibling(struct mem_cgroup *pos)
{
	struct mem_cgroup *child;

	list_for_each_entry (child, &pos->parent->children, sibling)
		if (child->id > pos->id)
			return child;
	return NULL;
}

/* The group after @pos, which the caller holds, with a reference. */
static struct mem_cgroup *walk_next(struct mem_cgroup *pos, struct mem_cgroup *root)
{
	struct mem_cgroup *next = NULL;

	lock(&cgroup_lock);
	if (pos->online) {
		next = memcg_next(pos, root);
	} else {
		for (; !next && pos != root; pos = pos->parent)
			next = next_sibling(pos);
	}
	if (next)
		mem_cgroup_get(next);
	unlock(&cgroup_lock);
	return next;
}

int mem_cgroup_walk(struct mem_cgroup *root, int (*fn)(struct mem_cgroup *memcg, void *arg),
		    void *arg)
{
	struct mem_cgroup *pos = root ? root : &root_memcg;
	struct mem_cgroup *top = pos;
	int ret = 0;

	if (!mem_cgroup_tryget_online(pos))
		return 0;
	while (pos) {
		struct mem_cgroup *next;

		ret = fn(pos, arg);
		next = ret ? NULL : walk_next(pos, top);
		mem_cgroup_put(pos);
		pos = next;
	}
	return ret;
}

/* ---- Names -------------------------------------------------------------- */

struct mem_cgroup *mem_cgroup_root(void)
{
	return &root_memcg;
}

struct mem_cgroup *mem_cgroup_parent(struct mem_cgroup *memcg)
{
	return memcg->parent;
}

uint64_t mem_cgroup_id(const struct mem_cgroup *memcg)
{
	return memcg->id;
}

const char *mem_cgroup_name(const struct mem_cgroup *memcg)
{
	return memcg->memory.record->name;
}

size_t mem_cgroup_path(const struct mem_cgroup *memcg, char *buf, size_t len)
{
	const struct mem_cgroup *up;
	size_t need = 0, at;

	for (up = memcg; up->parent; up = up->parent)
		need += strlen(mem_cgroup_name(up)) + 1;
	if (!need)
		need = 1;
	if (!len)
		return need;
	buf[0] = '/';
	at = need;
	for (up = memcg; up->parent; up = up->parent) {
		size_t n = strlen(mem_cgroup_name(up));

		at -= n + 1;
		for (size_t i = 0; i <= n; i++)
			if (at + i < len - 1)
				buf[at + i] = i ? mem_cgroup_name(up)[i - 1] : '/';
	}
	buf[min_t(size_t, need, len - 1)] = '\0';
	return need;
}

void memcg_rename(struct mem_cgroup *memcg, const char *name)
{
	struct counters_record *record = memcg->memory.record;

	lock(&cgroup_lock);
	memset(record->name, 0, sizeof(record->name));
	strncpy(record->name, name, MEMCG_NAME_MAX);
	unlock(&cgroup_lock);
}

void memcg_event(struct mem_cgroup *memcg, enum memcg_event event)
{
	counters_own();
	atomic_add(&memcg->memory.record->events_local[event], 1);
	for (; memcg; memcg = memcg->parent)
		atomic_add(&memcg->memory.record->events[event], 1);
}
