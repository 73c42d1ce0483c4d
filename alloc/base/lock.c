/* SPDX-License-Identifier: MIT */
#include "alloc/base/lock.h"

#include "alloc/base/message.h"
#include "alloc/base/os.h"

#define SPINS 64

void lock_init(struct lock *lock, enum lock_rank rank)
{
	lock->word = 0;
	lock->rank = rank;
}

void lock_wait(struct lock *lock)
{
	for (int i = 0; i < SPINS; i++) {
		uint32_t unlocked = 0;

		if (READ_ONCE(lock->word) == 0 && cmpxchg_acquire(&lock->word, &unlocked, 1u))
			return;
		cpu_relax();
	}
	while (__atomic_exchange_n(&lock->word, 2u, __ATOMIC_ACQUIRE) != 0)
		os_futex_wait(&lock->word, 2);
}

void lock_wake(struct lock *lock)
{
	os_futex_wake(&lock->word);
}

#ifdef CGSLAB_DEBUG

static const char *const rank_names[] = {
	[LOCK_RANK_REMOVAL] = "removal",
	[LOCK_RANK_RECLAIM] = "reclaim",
	[LOCK_RANK_SHRINKERS] = "shrinkers",
	[LOCK_RANK_LRUS] = "list_lrus",
	[LOCK_RANK_LRU_TABLE] = "table of lists",
	[LOCK_RANK_LRU] = "list_lru",
	[LOCK_RANK_TREE] = "tree",
	[LOCK_RANK_TASKS] = "tasks",
	[LOCK_RANK_HEAPS] = "heaps",
	[LOCK_RANK_HEAP] = "heap",
	[LOCK_RANK_OBJCG] = "objcg",
	[LOCK_RANK_STOCK] = "stock",
	[LOCK_RANK_CACHES] = "caches",
	[LOCK_RANK_PSI] = "psi",
	[LOCK_RANK_COUNTERS] = "counters",
	[LOCK_RANK_SWAP] = "swap",
	[LOCK_RANK_SLABS] = "slabs",
	[LOCK_RANK_PAGES] = "pages",
	[LOCK_RANK_META] = "meta",
};

/* How many locks of each rank this thread holds. */
static __thread uint32_t held[LOCK_RANK_META + 1];

void lock_rank_acquire(const struct lock *lock, bool nested)
{
	for (uint32_t rank = LOCK_RANK_META; rank >= lock->rank; rank--) {
		if (!held[rank] || (nested && rank == lock->rank))
			continue;
		die("lock order: '%s' taken under '%s'", rank_names[lock->rank], rank_names[rank]);
	}
	held[lock->rank]++;
}

void lock_rank_release(const struct lock *lock)
{
	if (!held[lock->rank])
		die("lock order: '%s' released but not held", rank_names[lock->rank]);
	held[lock->rank]--;
}

void lock_none_held(const char *what)
{
	for (uint32_t rank = 0; rank <= LOCK_RANK_META; rank++)
		if (held[rank])
			die("lock order: %s under '%s'", what, rank_names[rank]);
}

#endif
