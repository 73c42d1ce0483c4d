/* SPDX-License-Identifier: MIT */
/*
 * A heap: the virtual CPU of a group. For one group, a freelist and slabs of
 * every cache, and a byte stock.
 *
 *             heap_claim()                     heap_claim()
 *   parked ----------------> owned by a task  <------------- parked
 *     |  ^                        |
 *     |  +---- heap_park() -------+
 *     |
 *     +-- heap_borrow() --> borrowed for a moment, by whoever collects,
 *     |                     shrinks or counts --> parked
 *     +-- memcg close ----> closed --> free, for another group
 *     |                                ^
 *     +-- heap_leave(): idle, and without slabs
 *
 * Each arrow from parked is one compare-and-swap of ->owner, so a group can be
 * entered, drained and closed without a lock. The owner uses freelists, stock
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
struct heap_chunk;

/*
 * What a heap has of one cache. The freelist has objects of any of its slabs,
 * the last freed first. Without room, objects go back to their slabs. What the
 * fast path uses is the first 16 bytes: none of a heap's are in two cache lines.
 */
struct heap_slot {
	void *freelist;		   /* owner */
	int32_t room;		   /* owner: for so many more; may be below 0 */
	uint32_t size;		   /* owner: bytes of an object */
	int32_t max_free;	   /* owner: room when it is empty */
	uint32_t nr_slabs;	   /* lock */
	struct hlist_head partial; /* lock */
	struct hlist_head empty;   /* lock: kept for the next burst */
	uint32_t seen;		   /* owner: freelist as of heap_flush_idle(), its low bits */
	uint16_t refilled_ms;	   /* owner: of large objects; see set_room() */
	uint16_t run;		   /* owner: likewise */
};

/*
 * Objects that this heap's owner has freed and another heap of the group owns:
 * passed on by the handful; see heap_away.c. Only kmalloc's.
 */
struct heap_away {
	struct heap *heap;   /* NULL: none */
	struct sheaf *sheaf; /* not full */
};

#define HEAP_AWAY 4

/* A sheaf is full with so many objects, or so many bytes. */
#define SHEAF_OBJECTS 61
#define SHEAF_BYTES   (16u << 10)

struct sheaf {
	struct sheaf *next; /* heap->incoming */
	uint32_t nr;
	uint32_t bytes;
	uint64_t objects[SHEAF_OBJECTS]; /* see sheaf_entry() */
};

struct heap {
	struct obj_stock stock; /* first: the fast path's line */
	struct heap_slot slots[SIZE_CLASSES] __attribute__((aligned(16))); /* by kmalloc class */
	struct heap_away away[HEAP_AWAY]; /* owner; passed on with lock */
	size_t empty_bytes;		  /* lock: of empty slabs */
	size_t spilled_bytes;		  /* lock: of those not kept, for want of a purger */
	struct hlist_head full;		  /* lock: full slabs of all caches */
	struct lock lock;
	uint32_t idle_hand;  /* owner: the slot that heap_flush_idle() looks at next */
	uint32_t empty_hand; /* lock: the slot that yield_empty() looks at next */
	bool torn;	     /* owner: a fork caught others at work; heap_recover() */

	/* Caches made by kmem_cache_create(), by id; grown by the owner. */
	uint32_t nr_extra;
	struct heap_slot *extra_slots; /* owner, lock */

	struct task *owner __attribute__((aligned(CACHELINE))); /* atomic */
	struct slab *remote_slabs; /* atomic: pushed by heap_push_remote() */
	struct sheaf *incoming;	   /* atomic: objects passed on by other heaps */
	int64_t incoming_objects;  /* atomic */
	int64_t incoming_bytes;	   /* atomic */
	struct mem_cgroup *memcg;  /* const while owned; NULL: of no group */
	uint32_t left;		   /* heaps_epoch when it was parked; 0: it rests */
	struct heap *next;	   /* memcg->heaps; heaps_lock and cgroup_lock to take out */
	struct heap_chunk *chunk;  /* const while of a group; see heap_table.c */
};

_Static_assert(sizeof(struct heap) < 1ul << 16, "a slot's offset fits into a sheaf_entry()");

/* Values of ->owner that are no task. What has no group reads as zero, perhaps. */
#define HEAP_CLOSED   ((struct task *)0)
#define HEAP_BORROWED ((struct task *)1)
#define HEAP_PARKED   ((struct task *)2)

/* Owns nothing: what a thread has before its first allocation. */
extern struct heap heap_none;

/* The calling thread's heap; heap_none if it has none. */
extern __thread struct heap *current_heap __attribute__((tls_model("initial-exec")));

/*
 * Sets right what a fork of a thread at work may have left: an object popped or
 * pushed but not yet counted, a remote list nobody will announce. Owner.
 */
void heap_recover(struct heap *heap);

/* ---- Ownership ------------------------------------------------------------ */

/*
 * A heap of @memcg for the task @owner: a parked one, or a new one. NULL if the
 * group is closed or there is no memory (errno ENODEV or ENOMEM).
 */
struct heap *heap_claim(struct mem_cgroup *memcg, struct task *owner);

/*
 * Claims a parked heap for a moment; false if it is not parked. Does not keep
 * others from finding it.
 */
bool heap_borrow(struct heap *heap);

/*
 * Parks a heap that nobody may come for soon: what was freed from elsewhere up
 * to now is collected. No lock is held but perhaps cgroup_lock.
 */
void heap_return(struct heap *heap);

/* The same, and it need not be looked at again before somebody has used it. */
void heap_return_idle(struct heap *heap);

void heaps_fork_prepare(void);
void heaps_fork_done(void);

/* memcg_ops. */
bool memcg_close_heaps(struct mem_cgroup *memcg);
void memcg_open_heaps(struct mem_cgroup *memcg);
void memcg_release_heaps(struct mem_cgroup *memcg);

/* Whether a thread is inside the group itself. cgroup_lock. */
bool memcg_has_owned_heap(struct mem_cgroup *memcg);

/*
 * The group's heaps, one after the other by ->next: with cgroup_lock, while the
 * group is open. Without it a heap may move on to another group.
 */
struct heap *memcg_first_heap(const struct mem_cgroup *memcg);

/* ---- Idle heaps; see heap_idle.c -------------------------------------------- */

/* Moves on by HEAPS_EPOCH about twice a second, unless it is HEAPS_AT_REST. Atomic. */
extern uint32_t heaps_epoch;

#define HEAPS_AT_REST 1u
#define HEAPS_EPOCH   2u

/* Of so many heaps on it is worth a thread. */
#define HEAPS_MANY 16

void heaps_wake(void);

/*
 * A heap rests when it was trimmed and nobody has had it since: those who look for
 * what can be given back pass it by. Its owner.
 */
void heap_rest(struct heap *heap);
void heap_stir(struct heap *heap);

/* Somebody has it now. Owner. */
static __always_inline_fn void heap_note_claimed(struct heap *heap)
{
	if (unlikely(!READ_ONCE(heap->left)))
		heap_stir(heap);
}

/* The heap is about to be parked. Owner. */
static __always_inline_fn void heap_note_left(struct heap *heap)
{
	uint32_t epoch = READ_ONCE(heaps_epoch);

	heap_note_claimed(heap);
	WRITE_ONCE(heap->left, epoch);
	if (unlikely(epoch & HEAPS_AT_REST))
		heaps_wake();
}

/* The owner lets go; everything stays in place for the next. */
static __always_inline_fn void heap_park(struct heap *heap)
{
	heap_note_left(heap);
	/* Pairs with the acquire in heap_try_claim(). */
	store_release(&heap->owner, HEAP_PARKED);
}

static __always_inline_fn bool heap_try_claim(struct heap *heap, struct task *owner)
{
	struct task *parked = HEAP_PARKED;

	/* Pairs with the release in heap_park(); seq_cst: see heap_return(). */
	return __atomic_load_n(&heap->owner, __ATOMIC_SEQ_CST) == HEAP_PARKED &&
	       cmpxchg_acquire(&heap->owner, &parked, owner);
}

/*
 * The same heap again, which may be anybody's by now: false if it is not to be had.
 * One that was closed meanwhile moves on to another group, with ->next: so it is
 * looked at before, to leave others' alone, and after, when it cannot move.
 */
static __always_inline_fn bool heap_claim_again(struct mem_cgroup *memcg, struct task *owner,
						struct heap *heap)
{
	/* Borrowed first: of another group it must not look as if entered. */
	if (READ_ONCE(heap->memcg) != memcg || !heap_try_claim(heap, HEAP_BORROWED))
		return false;
	if (unlikely(heap->memcg != memcg)) {
		heap_park(heap);
		return false;
	}
	heap_note_claimed(heap);
	/* At once: the fast paths do not ask. */
	if (unlikely(heap->torn))
		heap_recover(heap);
	WRITE_ONCE(heap->owner, owner);
	return true;
}

/*
 * A borrowed heap, with no slab and nothing on its way, leaves its group and is
 * for others; false, and the heap is as it was, if the group is closed.
 * cgroup_lock.
 */
bool heap_leave(struct heap *heap);

/* The same, if it has no slab. */
bool heap_leave_if_empty(struct heap *heap);

/*
 * Gives back what heaps keep that are parked for a while: for a thread that calls
 * it a few times a second, until it returns false. The look itself is for tests.
 */
bool heaps_retire(void);
bool heaps_retire_look(void);

/* The same of all parked heaps, and of the calling thread's. */
void heaps_shrink(void);

/*
 * How many parked heaps were not trimmed since somebody had them; trims up to so many,
 * at once. Returns how many. Any thread, no lock.
 */
size_t heaps_idle(void);
size_t heaps_give_idle(size_t heaps);

/* Gives back the memory of heaps that no group has. */
void heaps_purge(void);

/* In the child of a fork. */
void heaps_purger_lost(void);

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

/* Where the slot of a size up to HEAP_LOOKUP is in a heap, by multiples of 16. */
#define HEAP_LOOKUP 1024

extern const uint16_t heap_slot_offsets[HEAP_LOOKUP / 16 + 1] __library_var;

static __always_inline_fn struct heap_slot *heap_slot_of_small(struct heap *heap, size_t size)
{
	return (struct heap_slot *)((char *)heap + heap_slot_offsets[(size + 15) / 16]);
}

/* Whether the heap has a slot for the cache yet. */
static __always_inline_fn bool heap_has_slot(const struct heap *heap,
					     const struct kmem_cache *cache)
{
	return cache->id < SIZE_CLASSES + heap->nr_extra;
}

/*
 * Puts objects of @cache on the freelist, from the cheapest source: what was
 * freed to a slab, freed from elsewhere, never carved, an empty slab that was
 * kept, a new slab. Owner. Returns 0 or -ENOMEM.
 */
int heap_refill(struct heap *heap, struct kmem_cache *cache);

/* countdown reached 0 in a free by the owner. */
void slab_event(struct heap *heap, struct slab *slab);

/* A slab whose remote list is not empty any more; any thread. */
void heap_push_remote(struct heap *heap, struct slab *slab);

/*
 * Gives back slabs whose objects were all freed from elsewhere, of heaps whose owners
 * have not come for them: for who is short of memory now. Any thread, no lock.
 */
void heaps_reap(void);

/* If the heap is parked, collects what was freed from elsewhere. Any thread, no lock. */
void heap_collect_parked(struct heap *heap);

/* Collects it for the owner, who was elsewhere. No lock is held. Keeps errno. */
void heap_collect_own(struct heap *heap);

/* Whether there is something; may change at once. */
static inline bool heap_has_remote(const struct heap *heap)
{
	return READ_ONCE(heap->incoming) || READ_ONCE(heap->remote_slabs);
}

/* Passes on what heap_free_away() has kept. Owner or closer; no lock is held. Keeps errno. */
void heap_pass_on_one(struct heap *heap, struct heap_away *away);

void heap_pass_on_all(struct heap *heap);

static inline void heap_pass_on(struct heap *heap)
{
	uintptr_t any = 0;

#pragma GCC unroll 4
	for (int i = 0; i < HEAP_AWAY; i++)
		any |= (uintptr_t)heap->away[i].heap;
	if (unlikely(any))
		heap_pass_on_all(heap);
}

/* Objects on the freelist; exact while the owner does nothing. */
__racy_fn static inline int32_t heap_slot_waiting(const struct heap_slot *slot)
{
	return READ_ONCE(slot->max_free) - READ_ONCE(slot->room);
}

static __always_inline_fn struct heap_away *heap_away_for(struct heap *heap, const struct heap *to)
{
	return &heap->away[((uintptr_t)to >> 8) % HEAP_AWAY];
}

/*
 * An object and where its slot is in its heap: so its owner need not look at the
 * slab. Addresses of user space have 48 bits.
 */
#define SHEAF_SLOT_SHIFT 48

static __always_inline_fn uint64_t sheaf_entry(const struct heap *heap, const struct slab *slab,
					       const void *object)
{
	size_t slot = (size_t)((const char *)slab->slot - (const char *)heap);

	return (uint64_t)slot << SHEAF_SLOT_SHIFT | (uintptr_t)object;
}

static inline void *sheaf_object(uint64_t entry)
{
	return (void *)(entry & ((1ull << SHEAF_SLOT_SHIFT) - 1));
}

static inline struct heap_slot *sheaf_slot(struct heap *heap, uint64_t entry)
{
	return (struct heap_slot *)((char *)heap + (entry >> SHEAF_SLOT_SHIFT));
}

/*
 * Makes ready for objects of @to, another heap of the group, and passes on what
 * is in the way. Owner; no lock is held. False without memory.
 */
bool heap_begin_away(struct heap *heap, struct heap *to);

/*
 * An object of the heap that @away is for. Returns whether it is to be passed on.
 * Owner.
 */
static __always_inline_fn bool heap_free_away(struct heap_away *away, const struct slab *slab,
					      void *object)
{
	struct sheaf *sheaf = away->sheaf;
	uint32_t nr = sheaf->nr;

	sheaf->objects[nr] = sheaf_entry(away->heap, slab, object);
	sheaf->bytes += slab->size;
	store_release(&sheaf->nr, nr + 1); /* a fork may come in between */
	return nr + 1 == SHEAF_OBJECTS || sheaf->bytes >= SHEAF_BYTES;
}

/* What is on its way from or to the heap; exact while nobody frees. */
void heap_count_away(const struct heap *heap, int64_t *objects, int64_t *bytes);

/*
 * Collects what was freed from elsewhere, puts freelists back into their slabs
 * and destroys the empty ones; @cache NULL: of all caches. Owner or borrower.
 */
void heap_trim(struct heap *heap, struct kmem_cache *cache);

/*
 * By any thread, to a heap that another may be at work with. cgroup_lock, so it
 * stays with its group.
 *
 * Destroys slabs of @cache that the owner keeps empty. He touches such a slab
 * under heap->lock only.
 */
void heap_destroy_kept(struct heap *heap, const struct kmem_cache *cache);

/*
 * Likewise, for a cache that nobody uses any more, and which the heap has a slot
 * for: that and its slabs are not touched without heap->lock then. The first
 * counts its objects that are in use; where there are none, the second destroys
 * all its slabs.
 */
uint64_t heap_count_live(struct heap *heap, const struct kmem_cache *cache);
void heap_bury_cache(struct heap *heap, const struct kmem_cache *cache);

/*
 * Gives back the slabs that have been empty for half a second, of all heaps; to be
 * called every hundred milliseconds. Returns whether heaps have others. No task.
 */
bool heaps_decay(void);

/*
 * Empty slabs that heaps keep for the next burst: how much that is, and up to @bytes
 * and a slab given back. Returns how much was. Any thread, no lock.
 */
size_t heaps_empty_bytes(void);
size_t heaps_give_empty(size_t bytes);

/* Lets go of all slabs; those with live objects become ownerless. Closer. */
void heap_disown_slabs(struct heap *heap);

/* Calls @fn for each of its slabs, which @fn may take off its list. lock. */
void heap_for_each_slab(struct heap *heap,
			void (*fn)(struct heap *heap, struct slab *slab, void *arg), void *arg);

/* The same for those that were empty, and kept. lock. */
void heap_for_each_empty(struct heap *heap,
			 void (*fn)(struct heap *heap, struct slab *slab, void *arg), void *arg);

#endif
