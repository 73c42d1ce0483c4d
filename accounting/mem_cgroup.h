/* SPDX-License-Identifier: MIT */
/*
 * The tree of groups; docs/groups.md tells the life of one.
 *
 * A group is online until rmdir, then its struct stays while references remain,
 * and for a grace period. References are held by
 *
 *   whoever created, looked up or got it,
 *   the tree, while it is online,
 *   each child, for its parent, until the child's last reference is gone,
 *   each obj_cgroup, for the group it is charged to.
 *
 * Threads inside hold none: each owns a heap of the group, and rmdir refuses
 * while one is owned. Iterators hold none for the position they remember.
 *
 * It is "dying" from rmdir until its own obj_cgroup is released, which needs
 * both: the last reference of the group, and the last object charged to it.
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
	struct page_counter swap;   /* likewise */
	int64_t refcnt;		    /* atomic; 0 is final */
	uint64_t id;		    /* const after creation; see memcg_id.c */
	struct mem_cgroup *parent;  /* const; holds a reference until the last put */

	struct page_protection protection;

	/* Atomic: what of the counters above is its own, in bytes; see swap.c. */
	int64_t swap_bytes, zswap_bytes, zswapped_bytes;
	int64_t counted_zswap; /* cgroup_lock, for the time of a count */

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

	/*
	 * cgroup_lock, and RCU for readers. A removed group stays on the list
	 * until its last reference is gone, so who holds it gets on from there.
	 */
	struct list_head children; /* in the order of creation, by ->sibling */
	struct list_head sibling;
	bool online;   /* atomic; pairs with mem_cgroup_tryget_online() */
	bool leaving;  /* atomic; cgroup_lock to write: it will be offline in a moment */
	uint8_t lists; /* atomic: which list_lrus may have lists of it; the layer above's */

	/* Atomic; see memcg_shrink.c. */
	uint32_t shrinking; /* threads that run shrinkers for the group */
	uint32_t barred;    /* kills that wait for that, in the subtree */

	/* Atomic: the shared walk with this group as its root; see memcg_iter.c. */
	uint64_t iter;

	/* Atomic; const once it is there. See memcg_more.h. */
	struct memcg_more *more;

	/* RCU: which shrinkers may have objects of the group; the layer above's. */
	struct shrinker_info *shrinker_info;
	uint64_t shrinker_units; /* atomic: where in it to look; see shrinker_info.h */

	/* cgroup_lock; the numbers are also read bare. */
	uint32_t nr_children;	       /* online */
	uint32_t nr_descendants;       /* online */
	uint32_t nr_dying_descendants; /* that are charged within the subtree */
	uint32_t name_hash;	       /* const while linked */
	struct hlist_node name_node;   /* among online groups of that hash */
	struct list_head objcg_list;   /* of dead descendants; by ->list */

	union {
		struct rcu_head rcu; /* released */
		struct {
			struct mem_cgroup *next;
			int64_t refs;
		} killed; /* see memcg_offline_subtree(); that call's */
	};
};

extern struct lock removal_lock; /* held by rmdir and kill from beginning to end */
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

	/*
	 * Calls @fn where the program's callbacks may run, whatever the thread is
	 * amid: see task_begin_callbacks(). False if they may not.
	 */
	bool (*run_callback)(void (*fn)(void *arg), void *arg);

	/* Empties the heaps of a closed group. cgroup_lock is held. */
	void (*release_heaps)(struct mem_cgroup *memcg);

	/*
	 * The group stands for its obj_cgroup no longer: a reference is taken for the
	 * spans charged to it, if there are some. cgroup_lock is held.
	 */
	void (*hold_spans)(struct obj_cgroup *objcg);

	/* Whether a thread is inside the subtree or at home there. cgroup_lock. */
	bool (*has_threads)(struct mem_cgroup *memcg);

	/*
	 * The calling thread is stalled, or not any more; whether a thread is inside
	 * the subtree that is not. No lock is held.
	 */
	void (*note_stall)(bool stalled);
	bool (*has_running)(struct mem_cgroup *memcg);

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

/*
 * The next online group of the subtree in pre-order, also after a @pos that was
 * removed. The caller holds cgroup_lock, or is in a read section of RCU in which
 * @pos has been online or holds a reference of it.
 */
struct mem_cgroup *memcg_next(struct mem_cgroup *pos, struct mem_cgroup *root);

#define for_each_memcg(pos, root) for ((pos) = (root); (pos); (pos) = memcg_next((pos), (root)))

/* Whether it may take in what is new: a child, a span. cgroup_lock. */
static inline bool memcg_is_staying(const struct mem_cgroup *memcg)
{
	return memcg->online && !memcg->leaving;
}

bool mem_cgroup_is_descendant(const struct mem_cgroup *memcg, const struct mem_cgroup *root);

/* The obj_cgroup of a dead descendant is released. cgroup_lock. */
void memcg_bury_one(struct mem_cgroup *memcg);

/* ---- Names, ids and positions of walks ------------------------------------ */

/* cgroup_lock, all. */
struct mem_cgroup *memcg_find_child(const struct mem_cgroup *parent, const char *name);
void memcg_add_name(struct mem_cgroup *memcg);
void memcg_remove_name(struct mem_cgroup *memcg);
bool memcg_name_is_valid(const char *name);

/*
 * The small id of a group: the number of its record, and 1. It is used again a
 * grace period after the group is gone.
 */
#define MEMCG_SMALL_ID_MASK ((1ul << COUNTERS_INDEX_BITS) - 1)

int memcg_add_id(struct mem_cgroup *memcg);		 /* cgroup_lock; 0 or -ENOMEM */
void memcg_remove_id(struct mem_cgroup *memcg);		 /* cgroup_lock */
struct mem_cgroup *memcg_by_small_id(uint32_t small_id); /* RCU; NULL if it is free */

static inline uint32_t memcg_small_id(const struct mem_cgroup *memcg)
{
	return (uint32_t)(memcg->id & MEMCG_SMALL_ID_MASK);
}

/*
 * No walk finds the group from now on: its online is false already, and it is
 * on the list of its parent still. cgroup_lock.
 */
void memcg_invalidate_iters(struct mem_cgroup *memcg);

/* Counts an event in the group and its ancestors, and tells who listens. No lock is held. */
void memcg_event(struct mem_cgroup *memcg, enum memcg_event event);

/* As in memory.events. */
const char *memcg_event_name(enum memcg_event event);

/* ---- Protection ---------------------------------------------------------- */

/*
 * Sets what of memory.min and memory.low is in effect for @memcg when the subtree of
 * @root (NULL: of all) is reclaimed. Those above it, up to @root, are set before: a
 * walk from @root comes to parents first.
 */
void mem_cgroup_calculate_protection(struct mem_cgroup *root, struct mem_cgroup *memcg);

/* Pages, as of the last call of that. */
int64_t mem_cgroup_effective_min(const struct mem_cgroup *memcg);
int64_t mem_cgroup_effective_low(const struct mem_cgroup *memcg);

/* Whether all that it uses is protected; never for @root itself. */
bool mem_cgroup_below_min(const struct mem_cgroup *root, const struct mem_cgroup *memcg);
bool mem_cgroup_below_low(const struct mem_cgroup *root, const struct mem_cgroup *memcg);

/* Structs of groups that are not freed yet, the root's not counted; for tests. */
uint64_t memcg_nr_structs(void);

/* Renames a group; for the one made before its name was known. */
void memcg_rename(struct mem_cgroup *memcg, const char *name);

/*
 * Says whether the subtree may be killed: 0 or -errno. If so, no shrinker has objects
 * of it in its hands until memcg_offline_subtree() returns, which is to follow.
 */
int memcg_begin_kill(struct mem_cgroup *root);

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

/* ---- Shrinkers and kill --------------------------------------------------- */

/*
 * Around all that shrinkers do with objects of the group, to which the caller holds
 * a reference: until the end mem_cgroup_kill() lets them be. False if the group
 * goes, with or without its objects: then they may not be touched.
 */
bool memcg_shrink_begin(struct mem_cgroup *memcg);
void memcg_shrink_end(struct mem_cgroup *memcg);

/* Whether the calling thread is between the two, as it is in a callback. */
bool memcg_is_shrinking(void);

/*
 * Keeps all others from that for the subtree, and waits for those who are at it.
 * Returns 0, or -EBUSY if they do not come to an end, with nothing changed.
 */
int memcg_bar_shrinks(struct mem_cgroup *root);
void memcg_unbar_shrinks(struct mem_cgroup *root);

/* In the child of a fork: threads that are lost are at nothing any more. */
void memcg_shrinks_fork_child(void);

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
