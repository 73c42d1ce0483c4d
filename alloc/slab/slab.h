/* SPDX-License-Identifier: MIT */
/*
 * A slab: a page run, or a part of a page, cut into objects of one cache, all
 * charged to one obj_cgroup; or a span, one run handed out whole.
 *
 * The structs lie in a table of their own, away from the objects; the page map
 * gives the index. Slots are reused for slabs only, so a stale pointer still
 * points at a struct slab.
 *
 * A slab of objects belongs to a heap, or is ownerless. What its objects are,
 * at any moment:
 *
 *   nr      = carved + never carved
 *   carved  = used + on ->free
 *   used    = live + on a freelist of its heap + on the remote list
 *             + away: freed by another heap, on the way back
 *   used    = countdown + reserve
 */
#ifndef ALLOC_SLAB_SLAB_H
#define ALLOC_SLAB_SLAB_H

#include "accounting/obj_cgroup.h"
#include "alloc/pages/page_map.h"
#include "alloc/slab/kmem_cache.h"

struct heap;
struct obj_stock;
struct heap_slot;
struct swap_entry;

enum slab_kind {
	SLAB_NONE, /* unused slot; also what addresses not ours map to */
	SLAB_OBJECTS,
	SLAB_SPAN,	 /* a block of malloc(), always pinned */
	SLAB_SPAN_HELD,	 /* goes with its last reference; see span.h */
	SLAB_SPAN_FREED, /* its free has begun; it is charged still */
	SLAB_SPAN_GONE,	 /* not charged any more, to be given back at once */
	SLAB_KILLED,	 /* with its group, and not charged any more; see kill.c */
};

/* Where an owned slab is in its heap. */
enum slab_place {
	SLAB_PARTIAL, /* on slot->partial: has objects on ->free, or to carve */
	SLAB_EMPTY,   /* on slot->empty: all its objects are on ->free */
	SLAB_FULL,    /* on heap->full: had none when it got there */
};

struct slab {
	/*
	 * Its heap, plus the cache's owner_tag; NULL if ownerless. Written by
	 * the owner; others compare it only with their own.
	 */
	uintptr_t owner __attribute__((aligned(CACHELINE)));
	union {
		struct heap_slot *slot; /* const: its heap's, of its cache; kmalloc's only */
		uint64_t unpinned;	/* a span's: span_stamp() of its last unpin; atomic */
		void *killed;		/* who has it, once it is killed; debug_killed.c */
	};
	union {
		void *free; /* owner; with heap->lock for others */
		/*
		 * A span's that has room in swap, else NULL: its isolation, and
		 * objcg_lock() to write.
		 */
		struct swap_entry *swap;
	};
	union {
		uint32_t countdown; /* owner's frees until slab_event() */
		uint32_t moved_at;  /* a span's: pages when it last had to move; its user */
	};
	union {
		uint32_t reserve;  /* owner, heap->lock */
		uint32_t capacity; /* a span's: pages of its run; its user */
	};
	uint32_t size; /* const: bytes an object is charged */
	union {
		uint32_t carved;   /* owner, heap->lock */
		uint32_t own_pins; /* a span's: see span.h; its pinner, others read */
	};
	/*
	 * Const, but a span's, which its user may transfer: cgroup_lock and
	 * slab_table_lock. A slab without owner holds a reference; else it is the
	 * heap's, or that of all spans of the objcg.
	 */
	struct obj_cgroup *objcg;
	struct kmem_cache *cache; /* const; holds a reference, but of a span */
	uint8_t kind;		  /* const */
	union {
		uint8_t place;	    /* owner, heap->lock */
		uint8_t span_flags; /* const: see span.h */
	};
	uint8_t moved;	   /* a span's pages came from elsewhere; its user */
	uint8_t recovered; /* owner: see heap_recover() */
	union {
		uint32_t noted;	 /* used as of heap_note_objects() */
		uint32_t pinner; /* const: a span's, the thread that counts in own_pins */
	};

	/* Shared with the threads that free from elsewhere; see remote.h. */
	union {
		uint64_t remote; /* atomic */
		struct {
			uint32_t state; /* a span's: see span.h; atomic, a futex */
			uint32_t refs;	/* a span's; atomic */
		};
	};
	union {
		struct {
			void *remote_tail;	  /* who made the list not empty, then the owner */
			struct slab *remote_next; /* likewise: heap->remote_slabs */
		};
		struct list_head lru; /* of a span that may be swapped out; its list's lock */
	};
	union {
		uint32_t nr;	 /* const: objects */
		uint32_t packed; /* a span's that is out: see span_memory_bytes() */
	};
	uint32_t grains; /* const; a span's changes with its user's realloc() */
	char *start;	 /* const */
	union {
		/*
		 * heap->lock: slot->partial or ->empty, heap->full; objcg_lock(), of a
		 * slab without an owner: objcg->slabs; slab_table_lock, of a span:
		 * objcg->spans.
		 */
		struct hlist_node node;
		struct rcu_head rcu; /* a slab of a SLAB_TYPESAFE_BY_RCU cache going */
	};
	union {
		uint32_t looks;	 /* heap->lock: heaps_decay() has seen it empty so often */
		uint32_t queued; /* a span's: its stamp when it came to its place; list's lock */
	};
};

_Static_assert(sizeof(struct slab) == 2 * CACHELINE, "two lines");
_Static_assert(offsetof(struct slab, remote) == CACHELINE, "what is shared is in the second");

/*
 * Const after slab_table_init(). Before, it points at one slot of kind
 * SLAB_NONE, so that slab_of() needs no check.
 */
extern struct slab *slab_table __library_var;

/* Before everything else, once. Returns 0 or -ENOMEM. */
int slab_table_init(void);

/* Any address; kind SLAB_NONE for what was not handed out. */
static __always_inline_fn struct slab *slab_of(const void *addr)
{
	return &slab_table[page_map_get(addr)];
}

static __always_inline_fn size_t slab_bytes(const struct slab *slab)
{
	return (size_t)slab->grains << GRAIN_SHIFT;
}

/* Spans are whole pages. */
static inline size_t span_pages(const struct slab *span)
{
	return slab_bytes(span) >> PAGE_SHIFT;
}

static inline void span_set_pages(struct slab *span, size_t npages)
{
	span->grains = (uint32_t)(npages << (PAGE_SHIFT - GRAIN_SHIFT));
}

static inline uint32_t slab_used(const struct slab *slab)
{
	return slab->countdown + slab->reserve;
}

/* Index of the object that @addr lies in. */
static __always_inline_fn uint32_t slab_index(const struct slab *slab, const void *addr)
{
	return kmem_cache_index(slab->cache, (size_t)((const char *)addr - slab->start));
}

static __always_inline_fn void *slab_object(const struct slab *slab, uint32_t index)
{
	return slab->start + (size_t)index * slab->size;
}

/* Whether @addr is the start of an object that was carved. */
static __always_inline_fn bool slab_has_object(const struct slab *slab, const void *addr)
{
	uint32_t index = slab_index(slab, addr);

	return slab_object(slab, index) == addr && index < READ_ONCE(slab->carved);
}

/* ---- Free lists: the link lies in the object --------------------------- */

static __always_inline_fn void *object_next(const void *object, unsigned int offset)
{
	return *(void *const *)((const char *)object + offset);
}

static __always_inline_fn void object_set_next(void *object, unsigned int offset, void *next)
{
	*(void **)((char *)object + offset) = next;
}

/* ---- Life --------------------------------------------------------------- */

/*
 * A slab of @bytes, as page_run_round() returns them, for @cache, charged to
 * @objcg; owned by @owner, whose heap holds a reference of @objcg and accounts
 * for the bytes. Nothing is carved. NULL without memory.
 */
struct slab *slab_create(struct kmem_cache *cache, struct obj_cgroup *objcg, uintptr_t owner,
			 size_t bytes);

/* A list of objects, by the links in them; @last's is NULL. */
struct object_list {
	void *first, *last;
	uint32_t nr;
};

/* Cuts up to @want more objects; one at least must be left. */
struct object_list slab_carve(struct slab *slab, uint32_t want);

/* Gives back a slab of a heap, without used objects, with its bytes' account. */
void slab_destroy(struct slab *slab, struct obj_stock *stock);

/*
 * The same by a thread that may not touch the heap's stock: what was told of the
 * slab is untold through the objcg, which the heap holds.
 */
void slab_destroy_apart(struct slab *slab);

/*
 * The same for one that has been empty for long, and not of a SLAB_TYPESAFE_BY_RCU
 * cache, by a thread that liburcu need not know.
 */
void slab_destroy_idle(struct slab *slab);

/*
 * Gives back a slab without an owner and without live objects, at once or, for
 * a SLAB_TYPESAFE_BY_RCU cache, after a grace period. Drops its reference of the
 * objcg: unless another is known to be held, no lock may be.
 */
void slab_destroy_ownerless(struct slab *slab);

/*
 * A span: a page run of @npages at @align, charged through @stock, the caller's own,
 * to the group that the calling thread is in; NULL: to nobody. It has one reference and
 * one pin, as a block of malloc(). *@zeroed tells whether it reads as zero. NULL without
 * memory or if the charge is refused.
 */
struct slab *span_create(struct obj_stock *stock, gfp_t gfp, size_t npages, size_t align,
			 bool *zeroed);

/*
 * Uncharges it and gives it back. The caller has set kind to SLAB_SPAN_FREED, so that
 * it happens once. No lock is held.
 */
void span_destroy(struct slab *span);

/* The second half: kind is SLAB_SPAN_GONE. */
void span_give_back(struct slab *span);

/*
 * Whose a span is from now on; its charge is the caller's to move. @to, if not NULL, has
 * spans, or is of a group that stays. Returns what the caller is to put when he holds no
 * lock, or NULL. cgroup_lock, if it moves from one to another.
 */
struct obj_cgroup *span_set_objcg(struct slab *span, struct obj_cgroup *to);

/*
 * Takes all spans from @objcg, of a group that is killed, and calls @fn, which may take
 * inner locks only, for each: with a reference of @objcg, which @fn makes its own.
 */
void slab_take_spans(struct obj_cgroup *objcg, void (*fn)(struct slab *span, void *arg), void *arg);

/* memcg_ops.hold_spans */
void slab_hold_spans(struct obj_cgroup *objcg);

/* Of a slab or span that was killed: writes zeros over what was in it. */
void slab_wipe(struct slab *slab);

/* The same, gives back: its references of cache and objcg have been dropped. */
void slab_give_back_killed(struct slab *slab);

/*
 * Another length, at the same place or elsewhere: the content is moved, and only
 * the difference is charged. Returns the new address, or NULL with the span as
 * it was.
 */
void *span_resize(struct slab *span, gfp_t gfp, size_t npages);

/*
 * Objects of a slab that are live, on a freelist of its heap, or away; exact
 * while nothing changes.
 */
uint32_t slab_count_out(const struct slab *slab);

/* Calls @fn for every slab in use, and not killed; exact only if nothing changes meanwhile. */
void slab_for_each(void (*fn)(struct slab *slab, void *arg), void *arg);

/*
 * What @fn returns for the span of span_alloc() that lies at @addr, or false if there is
 * none. Under slab_table_lock: the span neither goes nor changes its group meanwhile.
 */
bool slab_table_look(const void *addr, bool (*fn)(struct slab *span, void *arg), void *arg);

/* Address space or data are about to be limited to so many bytes: the table takes its share. */
void slab_table_prepare(size_t limit);

/* See os_area_release(). */
void slab_table_release_reserve(void);

/* How many slabs there ever were at once. */
uint32_t slab_table_size(void);

void slab_table_fork_prepare(void);
void slab_table_fork_done(void);

#endif
