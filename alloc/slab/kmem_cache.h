/* SPDX-License-Identifier: MIT */
#ifndef ALLOC_SLAB_KMEM_CACHE_H
#define ALLOC_SLAB_KMEM_CACHE_H

#include <cgslab/slab.h>

#include "alloc/base/list.h"
#include "alloc/base/lock.h"
#include "alloc/slab/size_class.h"

/*
 * A cache is alive until kmem_cache_destroy(), which takes its last slabs from
 * all heaps. References are held by being alive and by each slab, which keeps
 * its own for as long as it looks at the cache; so whichever goes last takes the
 * cache with it. Only then the id is used again, so a heap's slot never has two
 * caches' slabs.
 */
struct kmem_cache {
	/* Const after creation: */
	uint64_t inverse;     /* see kmem_cache_index() */
	uint32_t id;	      /* index of its slot in every heap */
	uint32_t size;	      /* bytes of a slot, and of a charge */
	uint32_t object_size; /* as asked for */
	uint32_t offset;      /* of the free-list link in the object */
	/*
	 * Added to slab->owner. Not 0 but for kmalloc's, so that the fast path
	 * of free() does not take others' objects for its own.
	 */
	uint32_t owner_tag;
	uint32_t track; /* debug build: offset of who allocated the object; or 0 */
	slab_flags_t flags;
	uint32_t first_bytes;	/* of a heap's first slabs */
	uint32_t largest_bytes; /* of later ones */
	int32_t max_free;	/* objects that a free may put on a freelist */
	void (*ctor)(void *object);

	/* A line that is written: */
	int64_t refcnt __attribute__((aligned(CACHELINE))); /* atomic */
	struct list_head list;				    /* slab_caches_lock */
	char name[32];					    /* const */
};

/*
 * @offset / size for an offset into a slab, by multiplication. Exact as long as
 * offset * size < 2^40, and slabs end far below.
 */
#define INVERSE_SHIFT 40

static __always_inline_fn uint32_t kmem_cache_index(const struct kmem_cache *cache, size_t offset)
{
	return (uint32_t)(offset * cache->inverse >> INVERSE_SHIFT);
}

/* kmalloc's, by size class; const after kmem_caches_init(). */
extern struct kmem_cache kmalloc_caches[SIZE_CLASSES] __library_var;

extern struct lock slab_caches_lock;
extern struct list_head slab_caches; /* slab_caches_lock; not kmalloc's */

void kmem_cache_get(struct kmem_cache *cache);
void kmem_cache_put(struct kmem_cache *cache);

void kmem_caches_init(void);

static __always_inline_fn bool kmem_cache_is_kmalloc(const struct kmem_cache *cache)
{
	return cache->id < SIZE_CLASSES;
}

#endif
