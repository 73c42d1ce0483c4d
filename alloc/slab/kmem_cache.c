/* SPDX-License-Identifier: MIT */
#include "alloc/slab/kmem_cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "accounting/high.h"
#include "alloc/base/message.h"
#include "alloc/base/meta.h"
#include "alloc/base/os.h"
#include "alloc/pages/page_run.h"
#include "alloc/slab/fast.h"
#include "alloc/slab/purger.h"
#include "alloc/slab/task.h"

/* Slabs: the first of a heap hold so many objects, the largest so many bytes. */
#define FIRST_OBJECTS	4
#define LARGEST_BYTES	(64ul << 10)
#define LARGEST_OBJECTS 8 /* for objects that would not fit as often */

/* What a free puts on a freelist, before objects go back to their slabs. */
#define FREE_OBJECTS 256
#define FREE_BYTES   (128u << 10)
#define FREE_LEAST   4

#define NAME_CHARS   (sizeof(((struct kmem_cache *)0)->name) - 1)

struct kmem_cache kmalloc_caches[SIZE_CLASSES];

struct lock slab_caches_lock = LOCK_INIT(LOCK_RANK_CACHES);
struct list_head slab_caches = LIST_HEAD_INIT(slab_caches);
static uint32_t next_id = SIZE_CLASSES; /* slab_caches_lock */
static uint32_t *free_ids;		/* slab_caches_lock: of destroyed caches */
static uint32_t nr_free_ids, max_free_ids;

/* ---- Geometry ------------------------------------------------------------- */

static void set_geometry(struct kmem_cache *cache)
{
	size_t first = (size_t)cache->size * FIRST_OBJECTS;
	size_t largest = max_t(size_t, LARGEST_BYTES, (size_t)cache->size * LARGEST_OBJECTS);

	cache->inverse = (1ull << INVERSE_SHIFT) / cache->size + 1;
	cache->first_bytes = (uint32_t)page_run_round(first);
	cache->largest_bytes = (uint32_t)page_run_round(largest);
	cache->max_free =
		max_t(int32_t, min_t(int32_t, FREE_OBJECTS, FREE_BYTES / cache->size), FREE_LEAST);
}

static void init_kmalloc_cache(struct kmem_cache *cache, unsigned int class)
{
	char digits[12];
	size_t n = 0;

	cache->id = class;
	cache->refcnt = 1;
	cache->size = size_class_bytes[class];
	cache->object_size = cache->size;
	set_geometry(cache);
	for (uint32_t left = cache->size; left; left /= 10)
		digits[n++] = (char)('0' + left % 10);
	strcpy(cache->name, "kmalloc-");
	for (size_t at = strlen(cache->name); n; at++)
		cache->name[at] = digits[--n];
}

void kmem_caches_init(void)
{
	for (unsigned int class = 0; class < SIZE_CLASSES; class ++)
		init_kmalloc_cache(&kmalloc_caches[class], class);
}

/* ---- Creation, references, shrinking --------------------------------------- */

/*
 * Where the free-list link may not overwrite the object, it follows it. Links
 * are at multiples of 8, and objects at multiples of 16: remote lists count so.
 */
static void lay_out(struct kmem_cache *cache, unsigned int align)
{
	uint32_t size = cache->object_size;

	if (cache->ctor || (cache->flags & SLAB_TYPESAFE_BY_RCU)) {
		cache->offset = (uint32_t)round_up_to(size, sizeof(void *));
		size = cache->offset + (uint32_t)sizeof(void *);
	}
	cache->owner_tag = 1;
	if (cache->flags & SLAB_HWCACHE_ALIGN)
		align = max_t(unsigned int, align, CACHELINE);
	size = debug_lay_out(cache, size);
	align = max_t(unsigned int, align, KMALLOC_MIN_SIZE);
	cache->size = (uint32_t)round_up_to(size, align);
	set_geometry(cache);
}

/* slab_caches_lock. */
static uint32_t take_id(void)
{
	return nr_free_ids ? free_ids[--nr_free_ids] : next_id++;
}

/* slab_caches_lock. */
static void give_id(uint32_t id)
{
	if (nr_free_ids == max_free_ids) {
		uint32_t max = max_free_ids ? max_free_ids * 2 : 64;
		uint32_t *ids = meta_alloc(max * sizeof(*ids));

		if (!ids)
			return; /* the id is not used again */
		if (free_ids)
			memcpy(ids, free_ids, nr_free_ids * sizeof(*ids));
		meta_free(free_ids, max_free_ids * sizeof(*ids));
		free_ids = ids;
		max_free_ids = max;
	}
	free_ids[nr_free_ids++] = id;
}

static struct kmem_cache *create_failed(const char *name, slab_flags_t flags, int err)
{
	if (flags & SLAB_PANIC)
		die("kmem_cache_create(\"%s\"): %s", name ? name : "", strerror(err));
	errno = err;
	return NULL;
}

struct kmem_cache *kmem_cache_create(const char *name, unsigned int size, unsigned int align,
				     slab_flags_t flags, void (*ctor)(void *object))
{
	const slab_flags_t known =
		SLAB_HWCACHE_ALIGN | SLAB_PANIC | SLAB_TYPESAFE_BY_RCU | SLAB_ACCOUNT;
	struct kmem_cache *cache;

	if (!name || !*name || size == 0 || size > KMALLOC_MAX_CACHE_SIZE || align > PAGE_SIZE ||
	    (align && !is_power_of_two(align)) || (flags & ~known))
		return create_failed(name, flags, EINVAL);
	slab_init();
	cache = meta_alloc(sizeof(*cache));
	if (!cache)
		return create_failed(name, flags, ENOMEM);
	cache->refcnt = 1;
	cache->object_size = size;
	cache->flags = flags;
	cache->ctor = ctor;
	strncpy(cache->name, name, NAME_CHARS);
	lay_out(cache, align);
	if (flags & SLAB_TYPESAFE_BY_RCU)
		get_default_call_rcu_data(); /* its thread is started here */
	lock(&slab_caches_lock);
	cache->id = take_id();
	list_add_tail(&cache->list, &slab_caches);
	unlock(&slab_caches_lock);
	return cache;
}

/* kmalloc's live for ever. */
void kmem_cache_get(struct kmem_cache *cache)
{
	if (kmem_cache_is_kmalloc(cache))
		return;
	atomic_add(&cache->refcnt, 1);
}

void kmem_cache_put(struct kmem_cache *cache)
{
	if (kmem_cache_is_kmalloc(cache) || atomic_sub_acq_rel(&cache->refcnt, 1))
		return;
	lock(&slab_caches_lock);
	list_del_init(&cache->list);
	give_id(cache->id);
	unlock(&slab_caches_lock);
	meta_free(cache, sizeof(*cache));
}

/*
 * Parked heaps and that of the calling thread give back all that is free. From a
 * heap at work only the empty slabs can be taken: freelists are its owner's.
 */
static void shrink_heap(struct heap *heap, struct kmem_cache *cache)
{
	if (task_owns(heap)) {
		heap_trim(heap, cache);
	} else if (heap_borrow(heap)) {
		heap_trim(heap, cache);
		if (!heap_leave_if_empty(heap))
			heap_return(heap);
	} else {
		heap_destroy_kept(heap, cache);
	}
}

static int shrink_heaps(struct mem_cgroup *memcg, void *arg)
{
	struct heap *heap, *next;

	lock(&cgroup_lock); /* until then the heaps stay with their group */
	heap = memcg->online ? memcg_first_heap(memcg) : NULL;
	for (; heap; heap = next) {
		next = heap->next; /* it may leave */
		shrink_heap(heap, arg);
	}
	unlock(&cgroup_lock);
	return 0;
}

int kmem_cache_shrink(struct kmem_cache *cache)
{
	counters_own();
	rcu_take_in_thread();
	return mem_cgroup_walk(&root_memcg, shrink_heaps, cache);
}

/* ---- Objects -------------------------------------------------------------- */

void *slab_alloc_refused(void)
{
	errno = ENOMEM;
	return NULL;
}

void *slab_alloc_refill(struct heap *heap, struct kmem_cache *cache, gfp_t gfp)
{
	struct heap_slot *slot = heap_slot(heap, cache);
	void *object;

	if (obj_stock_refill(&heap->stock, gfp, cache->size))
		return slab_alloc_refused();
	object = slot->freelist;
	if (unlikely(!object)) { /* taken by an allocation within the charge */
		obj_stock_credit(&heap->stock, cache->size);
		return slab_alloc_slow(cache, gfp);
	}
	heap_slot_pop(slot, object, cache->offset);
	memcg_charge_done(gfp);
	return object;
}

void *slab_alloc_slow(struct kmem_cache *cache, gfp_t gfp)
{
	struct heap *heap = task_begin_heap();
	struct heap_slot *slot;
	void *object = NULL;

	if (!heap)
		return slab_alloc_refused();
	/* Again if an allocation within the charge took what was there. */
	while (!object) {
		if (heap_refill(heap, cache) || obj_stock_charge(&heap->stock, gfp, cache->size)) {
			slab_alloc_refused();
			break;
		}
		slot = heap_slot(heap, cache);
		object = slot->freelist;
		if (likely(object))
			heap_slot_pop(slot, object, cache->offset);
		else
			obj_stock_credit(&heap->stock, cache->size);
	}
	task_end_heap(heap);
	purger_start_in_alloc();
	memcg_charge_done(gfp);
	return object;
}

static __always_inline_fn void *cache_alloc(struct kmem_cache *cache, gfp_t gfp)
{
	struct heap *heap = current_heap;
	struct heap_slot *slot;
	void *object;

	if (unlikely(!heap_has_slot(heap, cache)))
		return slab_alloc_slow(cache, gfp);
	slot = heap_slot(heap, cache);
	object = slot->freelist;
	if (unlikely(!object))
		return slab_alloc_slow(cache, gfp);
	if (unlikely(!obj_stock_take(&heap->stock, cache->size)))
		return slab_alloc_refill(heap, cache, gfp);
	return heap_slot_pop(slot, object, cache->offset);
}

/* @caller is for a debug build, which keeps it with the object. */
static __always_inline_fn void *cache_alloc_for(struct kmem_cache *cache, gfp_t gfp,
						const void *caller)
{
	void *object = cache_alloc(cache, gfp);

	if (object && (gfp & __GFP_ZERO))
		memset(object, 0, cache->object_size);
	debug_track(cache, object, caller);
	return object;
}

void *kmem_cache_alloc(struct kmem_cache *cache, gfp_t gfp)
{
	return cache_alloc_for(cache, gfp, __builtin_return_address(0));
}

void *kmem_cache_zalloc(struct kmem_cache *cache, gfp_t gfp)
{
	return cache_alloc_for(cache, gfp | __GFP_ZERO, __builtin_return_address(0));
}

void kmem_cache_free(struct kmem_cache *cache, void *object)
{
	struct slab *slab = slab_of(object);
	struct heap *heap = current_heap;

	if (likely(READ_ONCE(slab->owner) == (uintptr_t)heap + cache->owner_tag) &&
	    likely(slab->cache == cache)) {
		heap_free_object(heap, heap_slot(heap, cache), slab, object, cache->offset,
				 "kmem_cache_free");
		return;
	}
	/* Of what is not allocated the free itself tells. */
	if ((slab->kind == SLAB_OBJECTS || slab->kind == SLAB_SPAN) && slab->cache != cache)
		die("kmem_cache_free(): %p is of %s, not of %s", object,
		    slab->kind == SLAB_SPAN ? "no cache" : slab->cache->name, cache->name);
	slab_free_slow(object, slab, "kmem_cache_free");
}

size_t kmem_cache_alloc_bulk(struct kmem_cache *cache, gfp_t gfp, size_t count, void **objects)
{
	for (size_t i = 0; i < count; i++) {
		objects[i] = cache_alloc_for(cache, gfp, __builtin_return_address(0));
		if (!objects[i]) {
			kmem_cache_free_bulk(cache, i, objects);
			errno = ENOMEM;
			return 0;
		}
	}
	return count;
}

void kmem_cache_free_bulk(struct kmem_cache *cache, size_t count, void **objects)
{
	for (size_t i = 0; i < count; i++) {
		if (cache)
			kmem_cache_free(cache, objects[i]);
		else
			kfree_fast(objects[i], "kmem_cache_free_bulk");
	}
}

unsigned int kmem_cache_size(const struct kmem_cache *cache)
{
	return cache->object_size;
}

const char *kmem_cache_name(const struct kmem_cache *cache)
{
	return cache->name;
}
