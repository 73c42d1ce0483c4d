/* SPDX-License-Identifier: MIT */
/*
 * Object caches and general-purpose allocation, charged to the calling
 * thread's group (<cgslab/memcg.h>).
 *
 * Names and meanings follow include/linux/slab.h. All functions may be called
 * from any thread, also inside an RCU read section, but not from a signal
 * handler, unless it is known not to interrupt the library, as one that runs
 * in raise() or sigsuspend(). An object may be freed by any thread, whatever group it is in: the
 * bytes go back to the group that was charged.
 *
 * An object is charged the size of its slot (ksize()), a block larger than
 * KMALLOC_MAX_CACHE_SIZE its pages. When the group's limit is in the way the
 * allocation fails with NULL and errno ENOMEM, and nothing has changed.
 */
#ifndef CGSLAB_SLAB_H
#define CGSLAB_SLAB_H

#include <stddef.h>
#include <stdint.h>

#include <cgslab/gfp.h>

#ifdef __cplusplus
extern "C" {
#endif

struct kmem_cache;
struct rcu_head; /* liburcu's; for kfree_rcu() include <urcu-bp.h> */

typedef unsigned int slab_flags_t;

#define SLAB_HWCACHE_ALIGN ((slab_flags_t)0x1u) /* at least a cache line */
#define SLAB_PANIC	   ((slab_flags_t)0x2u) /* creation may not fail: abort */
/*
 * The memory of a freed object stays an object of this cache, or is given back
 * to the system only after a grace period. Who finds one under RCU must check
 * that it is still the one he looked for.
 */
#define SLAB_TYPESAFE_BY_RCU   ((slab_flags_t)0x4u)
#define SLAB_ACCOUNT	       ((slab_flags_t)0x8u) /* accepted: all is charged */

#define KMALLOC_MIN_SIZE       16
#define KMALLOC_MAX_CACHE_SIZE 65536ul

/* ---- Caches --------------------------------------------------------------- */

/*
 * Creates a cache of objects of @size bytes, 1 to KMALLOC_MAX_CACHE_SIZE.
 *
 * @name: for statistics; copied.
 * @align: a power of two up to 4096, or 0 for that of a pointer (16 from 16
 *         bytes on).
 * @ctor: if not NULL, runs once on each object when its memory comes into the
 *        cache; a freed object must be left in its constructed state. It may
 *        allocate and free, but not from this cache, and may not change the
 *        thread's group or trim.
 *
 * Returns the cache, or NULL with errno EINVAL or ENOMEM.
 */
struct kmem_cache *kmem_cache_create(const char *name, unsigned int size, unsigned int align,
				     slab_flags_t flags, void (*ctor)(void *object))
	CGSLAB_API(kmem_cache_create);

/*
 * Gives the cache back, with all its memory, whichever threads it is with. Nobody
 * may use it any more, and all its objects must have been freed: if some are
 * left, how many is reported on stderr, in a debug build with who allocated
 * them, and the cache is kept (-EBUSY). Waits for objects on their way through
 * kfree_rcu() or an RCU grace period. May not be called in an RCU read section
 * or callback.
 */
int kmem_cache_destroy(struct kmem_cache *cache) CGSLAB_API(kmem_cache_destroy);

/* An object, or NULL with errno ENOMEM. With __GFP_ZERO it is cleared. */
void *kmem_cache_alloc(struct kmem_cache *cache, gfp_t gfp) CGSLAB_API(kmem_cache_alloc)
	__attribute__((malloc));

/* kmem_cache_alloc() with __GFP_ZERO; not for caches with a constructor. */
void *kmem_cache_zalloc(struct kmem_cache *cache, gfp_t gfp) CGSLAB_API(kmem_cache_zalloc)
	__attribute__((malloc));

/* @object is of @cache; NULL is allowed. Keeps errno. */
void kmem_cache_free(struct kmem_cache *cache, void *object) CGSLAB_API(kmem_cache_free);

/*
 * Fills @objects with @count of them, or none. Returns @count, or 0 with errno
 * ENOMEM.
 */
size_t kmem_cache_alloc_bulk(struct kmem_cache *cache, gfp_t gfp, size_t count, void **objects)
	CGSLAB_API(kmem_cache_alloc_bulk);

/* @cache may be NULL: then the objects may be of any caches, or kmalloc'ed. */
void kmem_cache_free_bulk(struct kmem_cache *cache, size_t count, void **objects)
	CGSLAB_API(kmem_cache_free_bulk);

/*
 * Gives empty slabs of the cache back, in all groups; not those in which other
 * running threads freed an object last, which they keep for their next
 * allocation. Returns 0.
 */
int kmem_cache_shrink(struct kmem_cache *cache) CGSLAB_API(kmem_cache_shrink);

/* The size of an object as it was asked for. */
unsigned int kmem_cache_size(const struct kmem_cache *cache) CGSLAB_API(kmem_cache_size);

const char *kmem_cache_name(const struct kmem_cache *cache) CGSLAB_API(kmem_cache_name);

/* ---- kmalloc -------------------------------------------------------------- */

/*
 * @size bytes, aligned to 16 (sizes that are powers of two up to 4096: to
 * their size); 0 is taken for 1. NULL with errno ENOMEM on failure.
 */
void *kmalloc(size_t size, gfp_t gfp) CGSLAB_API(kmalloc) __attribute__((malloc, alloc_size(1)));

void *kzalloc(size_t size, gfp_t gfp) CGSLAB_API(kzalloc) __attribute__((malloc, alloc_size(1)));

/*
 * Changes the size of a block, which may move. On failure returns NULL, and
 * the block is as it was. @size 0 frees it and returns NULL. A block that moves
 * to grow may get more than @size: see ksize(), which is what is charged.
 */
void *krealloc(void *block, size_t size, gfp_t gfp) CGSLAB_API(krealloc)
	__attribute__((alloc_size(2)));

/* Frees anything of this header; NULL is allowed. Keeps errno. */
void kfree(const void *block) CGSLAB_API(kfree);

/*
 * Usable bytes of a block; 0 for NULL. Also what it is charged, but for objects
 * of a cache with a constructor or SLAB_TYPESAFE_BY_RCU: a link lies behind them.
 * In a debug build something lies behind each object of a cache.
 */
size_t ksize(const void *block) CGSLAB_API(ksize);

/*
 * Frees a block after a grace period. @member is a struct rcu_head in it, at
 * an offset below 4096.
 */
#define kfree_rcu(block, member) kvfree_call_rcu(&(block)->member, (void *)(block))

void kvfree_call_rcu(struct rcu_head *head, void *block) CGSLAB_API(kvfree_call_rcu);

/* Waits until everything given to kfree_rcu() before has been freed. */
void kvfree_rcu_barrier(void) CGSLAB_API(kvfree_rcu_barrier);

#ifdef __cplusplus
}
#endif

#endif
