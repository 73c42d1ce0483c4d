/* SPDX-License-Identifier: MIT */
/*
 * obj_cgroup: what a slab object is charged to, in bytes.
 *
 * It stands between objects, which may live long, and their group, which may
 * go. Whole pages are charged to the group's page counter; bytes are kept in
 * stocks, and what is less than a page when a stock goes away in
 * nr_charged_bytes. So one pointer swap passes everything to the parent:
 *
 *   charged = sum over stocks of (limit + revoked)
 *             + live_base + nr_charged_bytes      = whole pages
 *   live    = sum over stocks of used + live_base
 *
 * References are held by
 *
 *   the group whose ->objcg it is, until the group's own last one is gone,
 *   once the group is gone, its spans: one for all of them,
 *   each slab without an owner,
 *   whoever got it through the API.
 *
 * Stocks hold none: a thread that once freed an object of a dead group would
 * keep it from going. What is left of them is detached by the release.
 */
#ifndef ACCOUNTING_OBJ_CGROUP_H
#define ACCOUNTING_OBJ_CGROUP_H

#include "accounting/mem_cgroup.h"

/*
 * A build without accounting has one purpose: to measure what accounting costs.
 * Nothing is charged then, and no count is right.
 */
#ifdef CGSLAB_NO_ACCOUNTING
#define ACCOUNTING false
#else
#define ACCOUNTING true
#endif

struct obj_cgroup {
	int64_t refcnt; /* atomic */
	/*
	 * RCU; written under cgroup_lock and objcg_lock(). Holds a reference:
	 * taken where memcg is set, in obj_cgroup_alloc(); handed over to the
	 * parent's by reparent_one(); dropped by obj_cgroup_release().
	 */
	struct mem_cgroup *memcg;
	int64_t nr_charged_bytes; /* atomic; charged, in no stock */
	int64_t live_base;	  /* atomic; live bytes of no attached stock */
	int64_t span_base;	  /* atomic; the part of live_base in spans */
	int64_t manual_base;	  /* atomic; the part charged through the API */

	/* cgroup_lock, for the time of a count: what the slabs really hold. */
	int64_t counted_bytes, counted_objects, counted_slab, counted_span;
	int64_t counted_lost;
	int64_t counted_swap;	 /* of spans with room in swap */
	int64_t counted_transit; /* of those that are charged to memory, too */

	/* Its objcg_lock(): */
	struct list_head stocks;   /* by ->list; no references, either way */
	uint32_t nr_stocks;	   /* also read bare, as an estimate */
	bool holds_spans;	   /* slab_table_lock: ->spans have a reference */
	int64_t published_objects; /* what memcg's record has of us */
	int64_t published_bytes;
	int64_t published_spans;
	int64_t slab_bytes;
	struct hlist_head slabs; /* without an owner; by ->node */

	/* slab_table_lock: by ->node; see slab_hold_spans() */
	struct hlist_head spans;

	union {
		struct list_head list; /* memcg->objcg_list, once reparented; no reference */
		struct rcu_head rcu;   /* released */
	};
};

_Static_assert(sizeof(struct obj_cgroup) <= 3 * CACHELINE, "every group has one");

struct lock *objcg_lock(const struct obj_cgroup *objcg);

/* One reference for @memcg, whose ->objcg it becomes. NULL without memory. */
struct obj_cgroup *obj_cgroup_alloc(struct mem_cgroup *memcg);

/*
 * Everything charged through @memcg's obj_cgroups passes to its parent.
 * cgroup_lock; afterwards, without it, the caller puts as many references of
 * @memcg as are returned.
 */
int64_t memcg_reparent_objcgs(struct mem_cgroup *memcg);

/* The group, with a reference for the caller. */
struct mem_cgroup *get_mem_cgroup_from_objcg(struct obj_cgroup *objcg);

void obj_cgroup_uncharge_pages(struct obj_cgroup *objcg, int64_t pages);

/*
 * Adds charged bytes that no stock holds any more; whole pages among them are
 * uncharged.
 */
void obj_cgroup_return_bytes(struct obj_cgroup *objcg, int64_t bytes);

/* The same under cgroup_lock, for any thread. */
void __obj_cgroup_return_bytes(struct obj_cgroup *objcg, int64_t bytes);

/* A slab lost its owner: it joins ->slabs, and mem_cgroup_kill() finds it there. */
void obj_cgroup_add_slab(struct obj_cgroup *objcg, struct hlist_node *node);

/* It will go, later. */
void obj_cgroup_remove_slab(struct obj_cgroup *objcg, struct hlist_node *node);

/* It goes, with so much in the records; NULL: it was removed. */
void obj_cgroup_forget_slab(struct obj_cgroup *objcg, struct hlist_node *node, int64_t bytes,
			    int64_t objects);

/*
 * Charges @bytes of a span, whole pages, straight to the page counter, and not through
 * a stock: for a span that changes its length. Drains stocks that stand in the way.
 * Waits while the stocks are frozen. Returns 0 or -ENOMEM.
 */
int obj_cgroup_charge_span(struct obj_cgroup *objcg, gfp_t gfp, size_t bytes);
void obj_cgroup_uncharge_span(struct obj_cgroup *objcg, size_t bytes);

/* The books of a span that comes or goes; the pages are the caller's to charge. */
void obj_cgroup_account_span(struct obj_cgroup *objcg, int64_t bytes);

/* An object's, that goes to another; it leaves the bytes. cgroup_lock. */
void obj_cgroup_lose_bytes(struct obj_cgroup *objcg, size_t bytes);

/* What spans and slabs without an owner had when they were killed. */
struct obj_cgroup_killed {
	int64_t span_bytes; /* charged to memory */
	int64_t swap_bytes;
	int64_t zswap_bytes, zswapped_bytes;
	int64_t object_bytes; /* live */
	int64_t slab_bytes;
	int64_t objects; /* as the records have it */
};

/* objcg_lock(). */
void __obj_cgroup_uncharge_killed(struct obj_cgroup *objcg, const struct obj_cgroup_killed *killed);

/*
 * What lost threads had in their hands when the process was forked, @span_bytes of it in
 * spans. Nobody else has the books: the stocks are frozen, or there are no others.
 */
void __obj_cgroup_uncharge_lost(struct obj_cgroup *objcg, int64_t bytes, int64_t span_bytes);

/*
 * obj_cgroup_charge() by a thread that has no stock, and the way back of bytes
 * charged through any; @manual: by obj_cgroup_charge(). The record is told at once.
 */
int obj_cgroup_charge_direct(struct obj_cgroup *objcg, gfp_t gfp, size_t bytes);
void obj_cgroup_uncharge_direct(struct obj_cgroup *objcg, size_t bytes, bool manual);

/* The obj_cgroups of one group; cgroup_lock. @fn may not sleep. */
void memcg_for_each_objcg(struct mem_cgroup *memcg, void (*fn)(struct obj_cgroup *objcg, void *arg),
			  void *arg);

void obj_cgroups_fork_prepare(void);
void obj_cgroups_fork_done(void);

#endif
