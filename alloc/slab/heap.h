/* SPDX-License-Identifier: MIT */
/*
 * A heap: the virtual CPU of a group. For one group, the active slab of every
 * cache and a byte stock.
 *
 *             heap_claim()                     heap_claim()
 *   parked ----------------> owned by a task  <------------- parked
 *     |  ^                        |
 *     |  +---- heap_park() -------+
 *     |
 *     +-- heap_borrow() --> borrowed for a moment, by whoever collects,
 *     |                     shrinks or counts --> parked
 *     +-- memcg close ----> closed --> free, for another group
 *
 * Each arrow from parked is one compare-and-swap of ->owner, so a group can be
 * entered, drained and closed without a lock. The owner uses freelist, stock
 * and the slabs' free and countdown as it likes; the lists of slabs are under
 * ->lock, which the owner takes on its slow path only.
 *
 * Heaps are never freed to anything but heaps, so that a thread may try to
 * claim one it only remembers, and look afterwards whose it is.
 */
#ifndef ALLOC_SLAB_HEAP_H
#define ALLOC_SLAB_HEAP_H

#include "accounting/obj_stock.h"
#include "alloc/slab/remote.h"

struct task;

/* What a heap has of one cache, besides the freelist. */
struct heap_slot {
	struct slab *active;	   /* owner, lock */
	struct hlist_head partial; /* lock */
	uint32_t nr_slabs;	   /* lock */
};

struct heap {
	struct obj_stock stock;	      /* first: the fast path's line */
	void *freelist[SIZE_CLASSES]; /* owner; by kmalloc class */

	struct heap_slot slots[SIZE_CLASSES];
	struct hlist_head empty; /* lock: kept for the next burst, of any cache */
	uint32_t nr_empty;	 /* lock */
	uint32_t empty_pages;	 /* lock */
	struct hlist_head full;	 /* lock: full slabs of all caches */
	struct lock lock;
	uint32_t caches_died; /* owner: as of which dead caches were trimmed */
	bool torn;	      /* owner: a fork caught others at work; heap_recover() */

	/* Caches made by kmem_cache_create(), by id; grown by the owner. */
	uint32_t nr_extra;
	void **extra_freelist;	       /* owner */
	struct heap_slot *extra_slots; /* owner, lock */

	struct task *owner __attribute__((aligned(CACHELINE))); /* atomic */
	struct slab *remote_slabs; /* atomic: pushed by heap_push_remote() */
	struct mem_cgroup *memcg;  /* const while open */
	struct heap *next;	   /* const while open: memcg->heaps */
};

/* Values of ->owner that are no task. */
#define HEAP_PARKED   ((struct task *)0)
#define HEAP_BORROWED ((struct task *)1)
#define HEAP_CLOSED   ((struct task *)2)

/* Owns nothing: what a thread has before its first allocation. */
extern struct heap heap_none;

/* The calling thread's heap; heap_none if it has none. */
extern __thread struct heap *current_heap __attribute__((tls_model("initial-exec")));

/* ---- Ownership ------------------------------------------------------------ */

/*
 * A heap of @memcg for the task @owner: @hint if it still is one and parked,
 * another parked one, or a new one. NULL if the group is closed or there is no
 * memory (errno ENODEV or ENOMEM).
 */
struct heap *heap_claim(struct mem_cgroup *memcg, struct task *owner, struct heap *hint);

/* The owner lets go; everything stays in place for the next. */
void heap_park(struct heap *heap);

/*
 * Claims a parked heap for a moment; false if it is not parked. Does not keep
 * others from finding it.
 */
bool heap_borrow(struct heap *heap);
void heap_return(struct heap *heap);

void heaps_fork_prepare(void);
void heaps_fork_done(void);

/* memcg_ops. */
bool memcg_close_heaps(struct mem_cgroup *memcg);
void memcg_release_heaps(struct mem_cgroup *memcg);

/* The group's heaps, one after the other; valid while the group is open. */
struct heap *memcg_first_heap(const struct mem_cgroup *memcg);

/* ---- Slabs of a heap ------------------------------------------------------- */

static __always_inline_fn struct heap *heap_of_slab(const struct slab *slab)
{
	return (struct heap *)(READ_ONCE(slab->owner) & ~(uintptr_t)(CACHELINE - 1));
}

static __always_inline_fn struct heap_slot *heap_slot(struct heap *heap,
						      const struct kmem_cache *cache)
{
	if (kmem_cache_is_kmalloc(cache))
		return &heap->slots[cache->id];
	return &heap->extra_slots[cache->id - SIZE_CLASSES];
}

static __always_inline_fn void **heap_freelist(struct heap *heap, const struct kmem_cache *cache)
{
	if (kmem_cache_is_kmalloc(cache))
		return &heap->freelist[cache->id];
	return &heap->extra_freelist[cache->id - SIZE_CLASSES];
}

/* Whether the heap has a slot for the cache yet. */
static __always_inline_fn bool heap_has_slot(const struct heap *heap,
					     const struct kmem_cache *cache)
{
	return cache->id < SIZE_CLASSES + heap->nr_extra;
}

/*
 * Puts objects of @cache on the freelist, from the cheapest source: what was
 * freed here, freed from elsewhere, never carved, a partial slab, an empty one
 * that was kept, a new slab. Owner. Returns 0 or -ENOMEM.
 */
int heap_refill(struct heap *heap, struct kmem_cache *cache);

/* countdown reached 0 in a free by the owner. */
void slab_event(struct heap *heap, struct slab *slab);

/* A slab whose remote list is not empty any more; any thread. */
void heap_push_remote(struct heap *heap, struct slab *slab);

/* If the heap is parked, collects what was freed from elsewhere. Any thread. */
void heap_collect_parked(struct heap *heap);

/*
 * Collects what was freed from elsewhere, puts freelists back into their slabs
 * and destroys the empty ones; @cache NULL: of all caches. Owner or borrower.
 */
void heap_trim(struct heap *heap, const struct kmem_cache *cache);

/* Lets go of all slabs; those with live objects become ownerless. Closer. */
void heap_disown_slabs(struct heap *heap);

/* Calls @fn for each of its slabs, which @fn may take off its list. lock. */
void heap_for_each_slab(struct heap *heap,
			void (*fn)(struct heap *heap, struct slab *slab, void *arg), void *arg);

/*
 * Sets right what a fork of a thread at work may have left: an object popped or
 * pushed but not yet counted, a remote list nobody will announce. Owner.
 */
void heap_recover(struct heap *heap);

#endif
