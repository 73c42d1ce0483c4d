/* SPDX-License-Identifier: MIT */
/*
 * The tree of groups.
 *
 * A group is online until rmdir, then dying while references remain, then
 * freed after a grace period. References are held by
 *
 *   whoever created, looked up or got it,
 *   the tree, while it is online,
 *   each child, for its parent,
 *   each obj_cgroup, for the group it is charged to.
 *
 * Threads inside hold none: each owns a heap of the group, and rmdir refuses
 * while one is owned.
 */
#ifndef ACCOUNTING_MEM_CGROUP_H
#define ACCOUNTING_MEM_CGROUP_H

#include <cgslab/memcg.h>

#include "accounting/page_counter.h"
#include "alloc/base/list.h"
#include "alloc/base/lock.h"
#include "alloc/base/rcu.h"

struct mem_cgroup {
	struct page_counter memory; /* const; its record is atomic */
	int64_t refcnt;		    /* atomic; 0 is final */
	uint64_t id;		    /* const after creation */
	struct mem_cgroup *parent;  /* const; holds a reference */

	/*
	 * The group's heaps; the layer above reads and writes it. Pushed
	 * without a lock, closed and emptied by rmdir.
	 */
	uintptr_t heaps;

	/*
	 * The obj_cgroup for new charges; const. The group holds a reference
	 * until its own last one is gone, so whoever holds the group finds one
	 * that can be charged. After reparenting it does not hold the group.
	 */
	struct obj_cgroup *objcg;

	/* cgroup_lock: */
	struct list_head children; /* online ones, by ->sibling */
	struct list_head sibling;
	struct list_head objcg_list; /* of dead descendants; by ->list */
	uint32_t nr_dying;	     /* dead children not yet freed */
	bool online;		     /* also read bare by mem_cgroup_tryget_online() */

	union {
		struct rcu_head rcu; /* released */
		struct {
			struct mem_cgroup *next;
			int64_t refs;
		} killed; /* see memcg_offline_subtree(); that call's */
	};
};

extern struct lock cgroup_lock;
extern struct mem_cgroup root_memcg;

/* The group of the process: never removed. Const after mem_cgroups_init(). */
extern struct mem_cgroup *process_memcg;

/*
 * What the layer above does for us. Set once, before the first group is made
 * but the root and the process's.
 */
struct memcg_ops {
	/*
	 * Keeps threads from entering from now on; false if one is inside.
	 * cgroup_lock is held.
	 */
	bool (*close_heaps)(struct mem_cgroup *memcg);

	/* Lets threads enter a closed group again. cgroup_lock is held. */
	void (*open_heaps)(struct mem_cgroup *memcg);

	/* Empties the heaps of a closed group. cgroup_lock is held. */
	void (*release_heaps)(struct mem_cgroup *memcg);

	/*
	 * Sets the counted_ fields of all obj_cgroups from the slabs; exact
	 * while nothing changes. cgroup_lock is held.
	 */
	void (*count_slabs)(void);

	/*
	 * Set right what a fork cut in two, before a count: the heaps, and
	 * then, with the stocks of all groups frozen, the charges. Likewise.
	 */
	void (*recover_fork)(void);
	void (*settle_fork)(void);
};

extern struct memcg_ops memcg_ops;

/* Before everything else, once. Returns 0 or -ENOMEM. */
int mem_cgroups_init(void);

/* The next online group of the subtree in pre-order; cgroup_lock. */
struct mem_cgroup *memcg_next(struct mem_cgroup *pos, struct mem_cgroup *root);

#define for_each_memcg(pos, root) for ((pos) = (root); (pos); (pos) = memcg_next((pos), (root)))

/* Counts an event in the group and its ancestors. */
void memcg_event(struct mem_cgroup *memcg, enum memcg_event event);

/* Renames a group; for the one made before its name was known. */
void memcg_rename(struct mem_cgroup *memcg, const char *name);

/*
 * Takes the subtree offline, children first. @empty is called for each group, as
 * soon as no thread can enter any of them, to take away what it has: cgroup_lock.
 * Returns 0 with the groups in *@killed, for memcg_put_killed(), or -errno, with
 * nothing changed.
 */
int memcg_offline_subtree(struct mem_cgroup *root,
			  void (*empty)(struct mem_cgroup *memcg, void *arg), void *arg,
			  struct mem_cgroup **killed);
void memcg_put_killed(struct mem_cgroup *killed);

/* ---- fork --------------------------------------------------------------- */

/* Gets a forked child counters of its own; false if there is no memory yet. */
bool mem_cgroup_fork_child(void);

/* The same, on the first use of a counter; dies without memory. */
void counters_own_slow(void);

/*
 * Before a record is changed: this may be a child that was forked without our
 * knowledge, by a bare clone() or _Fork().
 */
static inline void counters_own(void)
{
	if (unlikely(!READ_ONCE(*counters_owned)))
		counters_own_slow();
}

#endif
