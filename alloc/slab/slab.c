/* SPDX-License-Identifier: MIT */
#include "alloc/slab/slab.h"

#include <errno.h>
#include <string.h>

#include "accounting/obj_stock.h"
#include "alloc/base/lock.h"
#include "alloc/base/message.h"
#include "alloc/pages/page_run.h"
#include "alloc/slab/debug.h"
#include "alloc/slab/span.h"

#define TABLE_SLOTS (1ul << 28)
#define TABLE_LEAST (1ul << 16)
#define TABLE_STEP  (64ul << 10)
#define LONG_SLAB   (64ul << 10)

static struct slab no_slab;
struct slab *slab_table = &no_slab;

static struct lock slab_table_lock = LOCK_INIT(LOCK_RANK_SLABS);

/* All below: slab_table_lock. */
static struct os_area table_area;
static uint32_t table_used = 1; /* slots from here on were never used */
static struct slab *free_slots; /* through ->remote_next */

/*
 * Where address space or data are limited, slots enough for slabs that fill all of it:
 * when objects have taken the last of it, others in their place shall have some.
 */
static size_t share_of(size_t limit)
{
	return limit == SIZE_MAX ? 0
				 : round_up_to(limit / LONG_SLAB * sizeof(struct slab), TABLE_STEP);
}

int slab_table_init(void)
{
	if (os_area_init(&table_area, TABLE_SLOTS * sizeof(struct slab),
			 TABLE_LEAST * sizeof(struct slab)) ||
	    os_area_commit(&table_area, TABLE_STEP))
		return -ENOMEM;
	/* What there is, if there is less. */
	os_area_commit(&table_area, share_of(os_data_limit()));
	slab_table = (struct slab *)table_area.base;
	return 0;
}

/* One that was never used. slab_table_lock. */
static noinline struct slab *slot_cut(void)
{
	size_t need = (table_used + 1) * sizeof(struct slab);
	struct slab *slab = &slab_table[table_used];

	if (need > table_area.committed &&
	    os_area_commit(&table_area, round_up_to(need, TABLE_STEP)))
		return NULL;
	WRITE_ONCE(table_used, table_used + 1);
	return slab;
}

/* slab_table_lock. */
static inline struct slab *__slot_get(void)
{
	struct slab *slab = free_slots;

	if (unlikely(!slab))
		return slot_cut();
	free_slots = slab->remote_next;
	return slab;
}

/* Likewise. */
static inline void __slot_put(struct slab *slab)
{
	WRITE_ONCE(slab->owner, 0);
	WRITE_ONCE(slab->kind, SLAB_NONE);
	slab->remote_next = free_slots;
	free_slots = slab;
}

static struct slab *slot_get(void)
{
	struct slab *slab;

	lock(&slab_table_lock);
	slab = __slot_get();
	unlock(&slab_table_lock);
	return slab;
}

static void slot_put(struct slab *slab)
{
	lock(&slab_table_lock);
	__slot_put(slab);
	unlock(&slab_table_lock);
}

/* ---- Whose spans they are ------------------------------------------------- */

/*
 * Spans hold no reference of their obj_cgroup: its group does, and when that goes it
 * takes one for all of them, which the last one drops.
 */
void slab_hold_spans(struct obj_cgroup *objcg)
{
	lock(&slab_table_lock);
	if (objcg->spans.first) {
		obj_cgroup_get(objcg); /* the spans' */
		objcg->holds_spans = true;
	}
	unlock(&slab_table_lock);
}

/* slab_table_lock. */
static inline void add_span(struct slab *span, struct obj_cgroup *objcg)
{
	store_release(&span->objcg, objcg); /* pairs with span_get_objcg(), span_memcg() */
	if (objcg)
		hlist_add_head(&span->node, &objcg->spans);
}

/* Returns the reference that is to be put, or NULL. slab_table_lock. */
static inline struct obj_cgroup *remove_span(struct slab *span)
{
	struct obj_cgroup *objcg = span->objcg;

	if (!objcg)
		return NULL;
	hlist_del_init(&span->node);
	if (likely(!objcg->holds_spans) || objcg->spans.first)
		return NULL;
	objcg->holds_spans = false;
	return objcg;
}

struct obj_cgroup *span_set_objcg(struct slab *span, struct obj_cgroup *to)
{
	struct obj_cgroup *last;

	lock(&slab_table_lock);
	last = remove_span(span);
	add_span(span, to);
	unlock(&slab_table_lock);
	return last;
}

void slab_take_spans(struct obj_cgroup *objcg, void (*fn)(struct slab *span, void *arg), void *arg)
{
	struct hlist_node *node;

	lock(&slab_table_lock);
	while ((node = objcg->spans.first)) {
		struct slab *span = container_of(node, struct slab, node);

		if (!remove_span(span))
			obj_cgroup_get(objcg);
		fn(span, arg);
	}
	unlock(&slab_table_lock);
}

static struct slab *span_slot_get(struct obj_cgroup *objcg)
{
	struct slab *span;

	lock(&slab_table_lock);
	span = __slot_get();
	if (likely(span)) {
		/* A forked child may find it before it has more than that, and kill its group. */
		span->size = 0;
		span->start = NULL;
		span->swap = NULL;
		span->packed = 0;
		span->cache = &kmalloc_caches[0]; /* never NULL, for who looks in passing */
		add_span(span, objcg);
	}
	unlock(&slab_table_lock);
	return span;
}

/* No lock is held. */
static void span_slot_put(struct slab *span)
{
	struct obj_cgroup *last;

	lock(&slab_table_lock);
	last = remove_span(span);
	__slot_put(span);
	unlock(&slab_table_lock);
	if (unlikely(last))
		obj_cgroup_put(last);
}

/* ---- Life ------------------------------------------------------------------- */

static char *memory_get(size_t bytes)
{
	bool zeroed;

	if (bytes < os_page_size())
		return page_part_alloc(bytes);
	return page_run_alloc(bytes >> PAGE_SHIFT, 0, &zeroed);
}

/* @idle: its pages were not used for half a second. */
static void memory_put(char *start, size_t bytes, bool idle)
{
	if (bytes < os_page_size())
		page_part_free(start, bytes);
	else if (idle)
		page_run_free_idle(start, bytes >> PAGE_SHIFT);
	else
		page_run_free(start, bytes >> PAGE_SHIFT);
}

struct slab *slab_create(struct kmem_cache *cache, struct obj_cgroup *objcg, uintptr_t owner,
			 size_t bytes)
{
	struct slab *slab = slot_get();

	if (!slab)
		return NULL;
	slab->start = memory_get(bytes);
	if (!slab->start) {
		slot_put(slab);
		return NULL;
	}
	slab->grains = (uint32_t)(bytes >> GRAIN_SHIFT);
	slab->objcg = objcg;
	slab->cache = cache;
	slab->size = cache->size;
	slab->nr = (uint32_t)(bytes / cache->size);
	slab->free = NULL;
	slab->countdown = 0;
	slab->reserve = 0;
	slab->carved = 0;
	slab->noted = 0;
	slab->recovered = 0;
	WRITE_ONCE(slab->remote, 0);
	slab->node.pprev = NULL;
	WRITE_ONCE(slab->owner, owner);
	store_release(&slab->kind, SLAB_OBJECTS); /* pairs with slab_for_each() */
	kmem_cache_get(cache);			  /* the slab's */
	page_map_set(slab->start, bytes, (uint32_t)(slab - slab_table));
	return slab;
}

struct object_list slab_carve(struct slab *slab, uint32_t want)
{
	uint32_t n = min_t(uint32_t, want, slab->nr - slab->carved);
	unsigned int offset = slab->cache->offset;
	char *first = slab_object(slab, slab->carved);
	char *last = first + (size_t)(n - 1) * slab->size;

	if (slab->cache->ctor)
		for (char *object = first; object <= last; object += slab->size)
			slab->cache->ctor(object);
	debug_carved(slab, first, n);
	for (char *object = first; object < last; object += slab->size)
		object_set_next(object, offset, object + slab->size);
	object_set_next(last, offset, NULL);
	WRITE_ONCE(slab->carved, slab->carved + n);
	slab->countdown += n;
	return (struct object_list){.first = first, .last = last, .nr = n};
}

static void give_back(struct slab *slab, bool idle)
{
	struct kmem_cache *cache = slab->cache;
	size_t bytes = slab_bytes(slab);
	char *start = slab->start;

	page_map_set(start, bytes, 0);
	slot_put(slab);
	memory_put(start, bytes, idle);
	kmem_cache_put(cache);
}

static void give_back_ownerless(struct slab *slab, struct hlist_node *node)
{
	struct obj_cgroup *objcg = slab->objcg;

	obj_cgroup_forget_slab(objcg, node, (int64_t)slab_bytes(slab), (int64_t)slab->noted);
	give_back(slab, false);
	obj_cgroup_put(objcg);
}

static void give_back_rcu(struct rcu_head *rcu)
{
	give_back_ownerless(container_of(rcu, struct slab, rcu), NULL);
}

void slab_destroy_ownerless(struct slab *slab)
{
	if (slab->cache->flags & SLAB_TYPESAFE_BY_RCU) {
		int saved_errno = errno;

		obj_cgroup_remove_slab(slab->objcg, &slab->node);
		call_rcu(&slab->rcu, give_back_rcu);
		errno = saved_errno;
	} else {
		give_back_ownerless(slab, &slab->node);
	}
}

void slab_destroy_apart(struct slab *slab)
{
	obj_cgroup_get(slab->objcg); /* the slab's: the heap may be gone by then */
	WRITE_ONCE(slab->owner, 0);
	slab_destroy_ownerless(slab);
}

void slab_destroy(struct slab *slab, struct obj_stock *stock)
{
	debug_assert(slab_used(slab) == 0);
	if (slab->cache->flags & SLAB_TYPESAFE_BY_RCU) {
		slab_destroy_apart(slab);
	} else {
		obj_stock_account_slab(stock, -(int64_t)slab_bytes(slab));
		give_back(slab, false);
	}
}

void slab_destroy_idle(struct slab *slab)
{
	debug_assert(slab_used(slab) == 0 && slab->noted == 0);
	obj_cgroup_forget_slab(slab->objcg, NULL, (int64_t)slab_bytes(slab), 0);
	give_back(slab, true);
}

/* What a block of malloc() has: one reference and one pin. */
static void span_init_held(struct slab *span, bool charged)
{
	span->span_flags = 0;
	WRITE_ONCE(span->own_pins, 0);
	span->pinner = SPAN_NO_PINNER;
	span->swap = NULL;
	WRITE_ONCE(span->state, SPAN_PIN | (charged ? SPAN_CHARGED : 0));
	WRITE_ONCE(span->refs, 1);
}

struct slab *span_create(struct obj_stock *stock, gfp_t gfp, size_t npages, size_t align,
			 bool *zeroed)
{
	struct slab *span = span_slot_get(stock ? stock->objcg : NULL);

	if (!span)
		return NULL;
	span_set_pages(span, npages);
	span->moved = false;
	span->moved_at = 0;
	span->capacity = (uint32_t)npages;
	span_init_held(span, stock);
	span->start = page_run_alloc(npages, align, zeroed);
	if (!span->start) {
		span_slot_put(span);
		return NULL;
	}
	/* So far that is address space; what nobody gets is not charged. */
	if (stock && obj_stock_charge_span(stock, gfp, npages << PAGE_SHIFT)) {
		char *start = span->start;

		span_slot_put(span);
		page_run_free(start, npages);
		return NULL;
	}
	store_release(&span->kind, SLAB_SPAN); /* pairs with slab_for_each() */
	span_run_map(span);
	return span;
}

void span_give_back(struct slab *span)
{
	size_t npages = span->capacity;
	char *start = span->start;
	bool moved = span->moved;

	if (start)
		page_map_set(start, PAGE_SIZE, 0);
	span_slot_put(span);
	if (!start)
		return;
	if (moved)
		page_run_free_moved(start, npages);
	else
		page_run_free(start, npages);
}

/* What anybody has written to. */
void slab_wipe(struct slab *slab)
{
	if (slab->size)
		memset(slab->start, 0, (size_t)slab->carved * slab->size);
	else if (slab->start)
		os_purge(slab->start, slab_bytes(slab));
}

void slab_give_back_killed(struct slab *slab)
{
	bool is_span = !slab->size, moved = is_span && slab->moved;
	size_t npages = is_span ? slab->capacity : 0;
	size_t bytes = slab_bytes(slab);
	char *start = slab->start;

	if (start)
		page_map_set(start, is_span ? PAGE_SIZE : bytes, 0);
	slot_put(slab);
	if (!start)
		return;
	if (!is_span)
		memory_put(start, bytes, false);
	else if (moved)
		page_run_free_moved(start, npages);
	else
		page_run_free(start, npages);
}

void slab_for_each(void (*fn)(struct slab *slab, void *arg), void *arg)
{
	uint32_t n = READ_ONCE(table_used);

	for (uint32_t i = 1; i < n; i++) {
		uint8_t kind = load_acquire(&slab_table[i].kind);

		if (kind != SLAB_NONE && kind != SLAB_KILLED)
			fn(&slab_table[i], arg);
	}
}

bool slab_table_look(const void *addr, bool (*fn)(struct slab *span, void *arg), void *arg)
{
	struct slab *span = slab_of(addr);
	bool ret;

	lock(&slab_table_lock);
	ret = READ_ONCE(span->kind) == SLAB_SPAN_HELD && READ_ONCE(span->start) == addr &&
	      fn(span, arg);
	unlock(&slab_table_lock);
	return ret;
}

uint32_t slab_table_size(void)
{
	return READ_ONCE(table_used);
}

void slab_table_prepare(size_t limit)
{
	lock(&slab_table_lock);
	os_area_commit(&table_area, share_of(limit));
	unlock(&slab_table_lock);
}

void slab_table_release_reserve(void)
{
	lock(&slab_table_lock);
	os_area_release(&table_area);
	unlock(&slab_table_lock);
}

void slab_table_fork_prepare(void)
{
	lock(&slab_table_lock);
}

void slab_table_fork_done(void)
{
	unlock(&slab_table_lock);
}
