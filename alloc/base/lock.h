/* SPDX-License-Identifier: MIT */
/*
 * A four-byte mutex on a futex, with a rank.
 *
 * Locks are taken in the order of their ranks; in a debug build a thread that
 * takes a lock whose rank is not above all it holds is stopped with both
 * names. The order, and what each lock protects, is in docs/locking.md.
 */
#ifndef ALLOC_BASE_LOCK_H
#define ALLOC_BASE_LOCK_H

#include "alloc/base/atomic.h"
#include "alloc/base/compiler.h"

enum lock_rank {
	LOCK_RANK_REMOVAL = 1, /* removal_lock: groups going, one after the other */
	LOCK_RANK_RECLAIM,     /* the reclaim thread's work */
	LOCK_RANK_SHRINKERS,   /* shrinkers_lock: ids, who waits for whom */
	LOCK_RANK_LRUS,	       /* list_lrus_lock: the list_lrus */
	LOCK_RANK_LRU_TABLE,   /* of a list_lru: lists being made */
	LOCK_RANK_LRU,	       /* a list of a list_lru */
	LOCK_RANK_TREE,	       /* cgroup_lock: shape of the tree */
	LOCK_RANK_TASKS,       /* task_list_lock: registered threads */
	LOCK_RANK_HEAPS,       /* heaps_lock: heaps being born, and without a group */
	LOCK_RANK_HEAP,	       /* heap->lock: its lists of slabs */
	LOCK_RANK_OBJCG,       /* objcg_locks[]: stocks of an objcg */
	LOCK_RANK_STOCK,       /* stock->lock: limit and what is revoked */
	LOCK_RANK_CACHES,      /* slab_caches_lock: the kmem_caches */
	LOCK_RANK_PSI,	       /* psi_lock: stall times of groups */
	LOCK_RANK_COUNTERS,    /* counter records of the memfd */
	LOCK_RANK_SWAP,	       /* swap_lock: the swap files and their slots */
	LOCK_RANK_SLABS,       /* slab_table_lock: unused slab structs */
	LOCK_RANK_PAGES,       /* page_run_lock: free page runs */
	LOCK_RANK_META,	       /* meta_lock: metadata arena */
};

struct lock {
	uint32_t word; /* 0 free, 1 held, 2 held and awaited */
	uint32_t rank;
};

#define LOCK_INIT(rank_)                                                                           \
	{                                                                                          \
		.word = 0, .rank = (rank_)                                                         \
	}

void lock_init(struct lock *lock, enum lock_rank rank);

/* The slow halves of lock() and unlock(). */
void lock_wait(struct lock *lock);
void lock_wake(struct lock *lock);

#ifdef CGSLAB_DEBUG
void lock_rank_acquire(const struct lock *lock, bool nested);
void lock_rank_release(const struct lock *lock);

/* Dies if the thread holds a lock; @what may wait for a fork, which waits for that. */
void lock_none_held(const char *what);
#else
static inline void lock_rank_acquire(const struct lock *lock, bool nested)
{
	(void)lock;
	(void)nested;
}
static inline void lock_rank_release(const struct lock *lock)
{
	(void)lock;
}
static inline void lock_none_held(const char *what)
{
	(void)what;
}
#endif

static inline void lock(struct lock *lock)
{
	uint32_t unlocked = 0;

	lock_rank_acquire(lock, false);
	if (unlikely(!cmpxchg_acquire(&lock->word, &unlocked, 1u)))
		lock_wait(lock);
}

/*
 * For the second and later locks of one rank. Who does this (docs/locking.md) holds
 * the lock that keeps everybody else from taking two.
 */
static inline void lock_nested(struct lock *lock)
{
	uint32_t unlocked = 0;

	lock_rank_acquire(lock, true);
	if (unlikely(!cmpxchg_acquire(&lock->word, &unlocked, 1u)))
		lock_wait(lock);
}

static inline void unlock(struct lock *lock)
{
	lock_rank_release(lock);
	if (unlikely(__atomic_exchange_n(&lock->word, 0u, __ATOMIC_RELEASE) == 2))
		lock_wake(lock);
}

static inline bool lock_is_held(const struct lock *lock)
{
	return READ_ONCE(lock->word) != 0;
}

#endif
