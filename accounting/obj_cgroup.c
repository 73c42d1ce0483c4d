/* SPDX-License-Identifier: MIT */
#include "accounting/obj_cgroup.h"

#include <errno.h>

#include "accounting/charge.h"
#include "accounting/obj_stock.h"
#include "accounting/swap.h"
#include "alloc/base/message.h"
#include "alloc/base/meta.h"
#include "alloc/base/os.h"

#define OBJCG_LOCKS 16

static struct lock objcg_locks[OBJCG_LOCKS] = {
	[0 ... OBJCG_LOCKS - 1] = LOCK_INIT(LOCK_RANK_OBJCG),
};

struct lock *objcg_lock(const struct obj_cgroup *objcg)
{
	return &objcg_locks[((uintptr_t)objcg >> 6) * 0x9e3779b97f4a7c15ull >> 60];
}

struct obj_cgroup *obj_cgroup_alloc(struct mem_cgroup *memcg)
{
	struct obj_cgroup *objcg = meta_alloc(sizeof(*objcg));

	if (!objcg)
		return NULL;
	objcg->refcnt = 1;
	list_init(&objcg->stocks);
	list_init(&objcg->list);
	mem_cgroup_get(memcg); /* the objcg's, for ->memcg */
	objcg->memcg = memcg;
	return objcg;
}

struct mem_cgroup *obj_cgroup_memcg(struct obj_cgroup *objcg)
{
	return load_acquire(&objcg->memcg); /* pairs with reparent_one() */
}

struct mem_cgroup *get_mem_cgroup_from_objcg(struct obj_cgroup *objcg)
{
	struct mem_cgroup *memcg;

	/*
	 * A group found here can lose its last reference only after memcg was
	 * swapped for the parent, so a failed tryget finds another group.
	 */
	rcu_read_lock();
	do {
		memcg = obj_cgroup_memcg(objcg);
	} while (!mem_cgroup_tryget(memcg));
	rcu_read_unlock();
	return memcg;
}

/* ---- Page charges ------------------------------------------------------- */

void obj_cgroup_uncharge_pages(struct obj_cgroup *objcg, int64_t pages)
{
	if (!pages)
		return;
	rcu_read_lock();
	page_counter_uncharge(&obj_cgroup_memcg(objcg)->memory, pages);
	rcu_read_unlock();
}

/* Returns how many whole pages can be uncharged now. */
static int64_t add_leftover(struct obj_cgroup *objcg, int64_t bytes)
{
	/* Acquire: the group looked up next is at least as new as the bytes. */
	int64_t left = atomic_add_acq_rel(&objcg->nr_charged_bytes, bytes);
	int64_t pages;

	do {
		pages = left >> PAGE_SHIFT;
		if (pages <= 0)
			return 0;
	} while (!cmpxchg_acq_rel(&objcg->nr_charged_bytes, &left, left - (pages << PAGE_SHIFT)));
	return pages;
}

void obj_cgroup_return_bytes(struct obj_cgroup *objcg, int64_t bytes)
{
	obj_cgroup_uncharge_pages(objcg, add_leftover(objcg, bytes));
}

void __obj_cgroup_return_bytes(struct obj_cgroup *objcg, int64_t bytes)
{
	int64_t pages = add_leftover(objcg, bytes);

	if (pages)
		page_counter_uncharge(&obj_cgroup_memcg(objcg)->memory, pages);
}

/* The group's record; memcg does not change under objcg_lock(). */
static struct counters_record *record_of(struct obj_cgroup *objcg)
{
	return READ_ONCE(objcg->memcg)->memory.record;
}

/* objcg_lock(). */
static void account_span(struct obj_cgroup *objcg, int64_t bytes)
{
	counters_own();
	atomic_add(&objcg->live_base, bytes);
	atomic_add(&objcg->span_base, bytes);
	objcg->published_spans += bytes;
	atomic_add(&record_of(objcg)->span_bytes, bytes);
}

/* Live bytes that no stock has counted, in the books and in the record. objcg_lock(). */
static void account_bytes(struct obj_cgroup *objcg, int64_t bytes)
{
	atomic_add(&objcg->live_base, bytes);
	objcg->published_bytes += bytes;
	atomic_add(&record_of(objcg)->object_bytes, bytes);
}

/* @pages were charged for @bytes of them. objcg_lock(). */
static void account_manual(struct obj_cgroup *objcg, int64_t bytes, int64_t pages)
{
	account_bytes(objcg, bytes);
	atomic_add(&objcg->manual_base, bytes);
	obj_cgroup_return_bytes(objcg, (pages << PAGE_SHIFT) - bytes);
}

/*
 * Frozen stocks hold objcg_lock(), so what is charged past the stocks changes
 * under it, all at once.
 */
static bool charge_span(struct obj_cgroup *objcg, gfp_t gfp, size_t bytes)
{
	struct charge charge;
	bool charged;

	charge_begin(&charge, objcg, gfp, bytes);
	do {
		lock(objcg_lock(objcg));
		charged = charge_try(&charge, (int64_t)(bytes >> PAGE_SHIFT));
		if (charged)
			account_span(objcg, (int64_t)bytes);
		unlock(objcg_lock(objcg));
	} while (!charged && charge_again(&charge));
	charge_end(&charge);
	return charged;
}

static bool charge_manual(struct obj_cgroup *objcg, gfp_t gfp, size_t bytes)
{
	int64_t pages = (int64_t)(round_up_to(bytes, PAGE_SIZE) >> PAGE_SHIFT);
	struct charge charge;
	bool charged;

	charge_begin(&charge, objcg, gfp, bytes);
	do {
		lock(objcg_lock(objcg));
		charged = charge_try(&charge, pages);
		if (charged)
			account_manual(objcg, (int64_t)bytes, pages);
		unlock(objcg_lock(objcg));
	} while (!charged && charge_again(&charge));
	charge_end(&charge);
	return charged;
}

int obj_cgroup_charge_span(struct obj_cgroup *objcg, gfp_t gfp, size_t bytes)
{
	return !ACCOUNTING || charge_span(objcg, gfp, bytes) ? 0 : -ENOMEM;
}

int obj_cgroup_charge_direct(struct obj_cgroup *objcg, gfp_t gfp, size_t bytes)
{
	return charge_manual(objcg, gfp, bytes) ? 0 : -ENOMEM;
}

void obj_cgroup_uncharge_span(struct obj_cgroup *objcg, size_t bytes)
{
	if (!ACCOUNTING)
		return;
	counters_own();
	rcu_take_in_thread();
	lock(objcg_lock(objcg));
	__obj_cgroup_uncharge_span(objcg, (int64_t)bytes);
	unlock(objcg_lock(objcg));
}

void obj_cgroup_uncharge_direct(struct obj_cgroup *objcg, size_t bytes, bool manual)
{
	counters_own();
	rcu_take_in_thread();
	lock(objcg_lock(objcg));
	account_bytes(objcg, -(int64_t)bytes);
	if (manual)
		atomic_sub(&objcg->manual_base, (int64_t)bytes);
	obj_cgroup_return_bytes(objcg, (int64_t)bytes);
	unlock(objcg_lock(objcg));
}

void obj_cgroup_account_span(struct obj_cgroup *objcg, int64_t bytes)
{
	lock(objcg_lock(objcg));
	account_span(objcg, bytes);
	unlock(objcg_lock(objcg));
}

void __obj_cgroup_charged_span(struct obj_cgroup *objcg, int64_t bytes)
{
	if (ACCOUNTING)
		account_span(objcg, bytes);
}

void __obj_cgroup_uncharge_span(struct obj_cgroup *objcg, int64_t bytes)
{
	if (!ACCOUNTING)
		return;
	account_span(objcg, -bytes);
	page_counter_uncharge(&READ_ONCE(objcg->memcg)->memory, bytes >> PAGE_SHIFT);
}

void obj_cgroup_lose_bytes(struct obj_cgroup *objcg, size_t bytes)
{
	lock(objcg_lock(objcg));
	account_bytes(objcg, -(int64_t)bytes);
	obj_cgroup_return_bytes(objcg, (int64_t)bytes);
	unlock(objcg_lock(objcg));
}

/* ---- Records ------------------------------------------------------------ */

/* objcg_lock(). */
static void account_slabs(struct obj_cgroup *objcg, int64_t bytes, int64_t objects)
{
	objcg->slab_bytes += bytes;
	objcg->published_objects += objects;
	atomic_add(&record_of(objcg)->slab_bytes, bytes);
	atomic_add(&record_of(objcg)->objects, objects);
}

void obj_cgroup_add_slab(struct obj_cgroup *objcg, struct hlist_node *node)
{
	lock(objcg_lock(objcg));
	hlist_add_head(node, &objcg->slabs);
	unlock(objcg_lock(objcg));
}

void obj_cgroup_remove_slab(struct obj_cgroup *objcg, struct hlist_node *node)
{
	lock(objcg_lock(objcg));
	hlist_del_init(node);
	unlock(objcg_lock(objcg));
}

void obj_cgroup_forget_slab(struct obj_cgroup *objcg, struct hlist_node *node, int64_t bytes,
			    int64_t objects)
{
	counters_own();
	lock(objcg_lock(objcg));
	if (node)
		hlist_del_init(node);
	account_slabs(objcg, -bytes, -objects);
	unlock(objcg_lock(objcg));
}

void __obj_cgroup_uncharge_killed(struct obj_cgroup *objcg, const struct obj_cgroup_killed *killed)
{
	account_span(objcg, -killed->span_bytes);
	obj_cgroup_uncharge_pages(objcg, killed->span_bytes >> PAGE_SHIFT);
	if (killed->swap_bytes)
		__obj_cgroup_uncharge_swap(objcg, killed->swap_bytes);
	if (killed->zswapped_bytes)
		__obj_cgroup_uncharge_zswap(objcg, killed->zswap_bytes, killed->zswapped_bytes);
	account_slabs(objcg, -killed->slab_bytes, -killed->objects);
	account_bytes(objcg, -killed->object_bytes);
	obj_cgroup_return_bytes(objcg, killed->object_bytes);
}

void __obj_cgroup_uncharge_lost(struct obj_cgroup *objcg, int64_t bytes, int64_t span_bytes)
{
	if (!bytes && !span_bytes)
		return;
	account_span(objcg, -span_bytes);
	account_bytes(objcg, span_bytes - bytes);
	obj_cgroup_return_bytes(objcg, bytes);
}

static void move_records(struct obj_cgroup *objcg, struct mem_cgroup *from, struct mem_cgroup *to)
{
	struct counters_record *old = from->memory.record;
	struct counters_record *new = to->memory.record;

	atomic_sub(&old->slab_bytes, objcg->slab_bytes);
	atomic_add(&new->slab_bytes, objcg->slab_bytes);
	atomic_sub(&old->objects, objcg->published_objects);
	atomic_add(&new->objects, objcg->published_objects);
	atomic_sub(&old->object_bytes, objcg->published_bytes);
	atomic_add(&new->object_bytes, objcg->published_bytes);
	atomic_sub(&old->span_bytes, objcg->published_spans);
	atomic_add(&new->span_bytes, objcg->published_spans);
}

/* ---- Reparenting and release -------------------------------------------- */

/* cgroup_lock. */
static void reparent_one(struct obj_cgroup *objcg, struct mem_cgroup *memcg,
			 struct mem_cgroup *parent)
{
	mem_cgroup_get(parent); /* the objcg's, in place of memcg's */
	lock(objcg_lock(objcg));
	move_records(objcg, memcg, parent);
	store_release(&objcg->memcg, parent); /* pairs with obj_cgroup_memcg() */
	unlock(objcg_lock(objcg));
	list_add_tail(&objcg->list, &parent->objcg_list);
}

int64_t memcg_reparent_objcgs(struct mem_cgroup *memcg)
{
	struct mem_cgroup *parent = memcg->parent;
	struct obj_cgroup *objcg, *tmp;
	int64_t handed_over = 1;

	list_for_each_entry_safe (objcg, tmp, &memcg->objcg_list, list) {
		list_del_init(&objcg->list);
		reparent_one(objcg, memcg, parent);
		handed_over++;
	}
	reparent_one(memcg->objcg, memcg, parent);
	memcg_reparent_swap(memcg);
	memcg_ops.hold_spans(memcg->objcg); /* which the group did, so far */
	return handed_over;
}

void obj_cgroup_get(struct obj_cgroup *objcg)
{
	atomic_add(&objcg->refcnt, 1);
}

bool obj_cgroup_tryget(struct obj_cgroup *objcg)
{
	int64_t refs = READ_ONCE(objcg->refcnt);

	do {
		if (refs == 0)
			return false;
	} while (!cmpxchg_acquire(&objcg->refcnt, &refs, refs + 1));
	return true;
}

static void objcg_free_rcu(struct rcu_head *rcu)
{
	meta_free(container_of(rcu, struct obj_cgroup, rcu), sizeof(struct obj_cgroup));
}

/*
 * No slab, span or user is left, so nobody charges or credits its stocks any more,
 * and all that was is seen here: with them gone, all charged bytes are leftovers.
 */
static void obj_cgroup_release(struct obj_cgroup *objcg)
{
	struct mem_cgroup *memcg;
	int64_t bytes;

	counters_own();
	rcu_take_in_thread();
	lock(&cgroup_lock); /* until then, who drains finds it on its list */
	obj_stocks_detach_all(objcg);
	bytes = objcg->nr_charged_bytes + objcg->live_base;
	if (bytes & (int64_t)(PAGE_SIZE - 1))
		die("obj_cgroup released with %ld bytes charged and not returned",
		    (long)objcg->live_base);
	memcg = objcg->memcg;
	if (bytes)
		page_counter_uncharge(&memcg->memory, bytes >> PAGE_SHIFT);
	list_del_init(&objcg->list);
	memcg_bury_one(memcg);
	unlock(&cgroup_lock);
	call_rcu(&objcg->rcu, objcg_free_rcu);
	mem_cgroup_put(memcg); /* the objcg's */
}

void obj_cgroup_put(struct obj_cgroup *objcg)
{
	if (atomic_sub_acq_rel(&objcg->refcnt, 1) == 0)
		obj_cgroup_release(objcg);
}

void memcg_for_each_objcg(struct mem_cgroup *memcg, void (*fn)(struct obj_cgroup *objcg, void *arg),
			  void *arg)
{
	struct obj_cgroup *objcg;

	if (memcg->objcg->memcg == memcg) /* not reparented */
		fn(memcg->objcg, arg);
	list_for_each_entry (objcg, &memcg->objcg_list, list)
		fn(objcg, arg);
}

void obj_cgroups_fork_prepare(void)
{
	for (size_t i = 0; i < OBJCG_LOCKS; i++)
		lock_nested(&objcg_locks[i]);
}

void obj_cgroups_fork_done(void)
{
	for (size_t i = 0; i < OBJCG_LOCKS; i++)
		unlock(&objcg_locks[i]);
}
