/* SPDX-License-Identifier: MIT */
/*
 * Spans with references and pins; <cgslab/span.h> has the contract.
 *
 * Who may do what with a span is in one word, ->state, and in ->own_pins, which
 * is there so that a pin costs no atomic. A thread that has it BUSY, isolated, has it to
 * itself: it swaps it out or in, moves it, or gives it another owner. Isolation needs that
 * nobody has it pinned:
 *
 *   pin by the pinner              pin by others             isolation
 *   -------------------------      ---------------------     --------------------------
 *   own_pins += 1                  state += SPAN_PIN         state |= BUSY, if it is not
 *   barrier()                      (its old value tells)     os_membarrier()
 *   if (state & (BUSY | OUT))      if (old & (BUSY|OUT))     pins = own_pins, then
 *       own_pins -= 1, wait            -= SPAN_PIN, wait         + those in state
 *                                                            if (pins) BUSY off, give up
 *
 * Either the pinner sees BUSY, or the isolator its pin. From when BUSY is visible to
 * all, pins only go (a pin that finds it is taken back), so a sum of zero is
 * true although its parts are read one after the other. What is unpinned by another
 * thread than has pinned it leaves one part below zero: only the sum counts, modulo 2^24.
 *
 * One that is OUT has no pins: so whoever makes it BUSY has it.
 *
 * The isolation protects ->objcg, ->start, ->capacity, ->moved, and ->swap. A block of malloc()
 * is always pinned: what is said of isolation there is its user's part, who has it alone.
 *
 * A section with a span BUSY runs no callbacks and charges without reclaim. It waits
 * for the swap file, for locks from cgroup_lock on and that of its list, none of which is
 * held by who waits for it, and for the end of other such sections, of spans at higher
 * addresses. Fork waits until all of them are over: see span_gate_enter().
 */
#ifndef ALLOC_SLAB_SPAN_H
#define ALLOC_SLAB_SPAN_H

#include <cgslab/span.h>

#include "alloc/base/os.h"
#include "alloc/slab/slab.h"

/* ---- The state ------------------------------------------------------------ */

#define SPAN_BUSY    0x01u /* somebody has it to himself */
#define SPAN_WAITERS 0x02u /* somebody waits for the end of that, on the futex */
#define SPAN_OUT     0x04u /* its content is not in memory: ->swap has it. BUSY to change */
/*
 * Its bytes are charged to the memory of ->objcg, and counted as resident. BUSY
 * (or birth and death) and objcg_lock() to change.
 */
#define SPAN_CHARGED   0x08u
#define SPAN_PIN       0x100u /* pins of all but the pinner, signed and modulo 2^24 */
#define SPAN_PIN_SHIFT 8
#define SPAN_PINS      0xffffffu

/* Nobody has waited yet: who swaps out gives up if it does not hold. */
#define SPAN_WANTED SPAN_WAITERS

/* ->span_flags. */
#define SPAN_IS_SWAPPABLE (SPAN_SWAPPABLE >> 16)

/* The number of no thread. */
#define SPAN_NO_PINNER UINT32_MAX

/* A span and its slab are the same thing. */
static inline struct slab *span_slab(const struct span *span)
{
	return (struct slab *)(uintptr_t)span;
}

static inline struct span *slab_span(const struct slab *slab)
{
	return (struct span *)(uintptr_t)slab;
}

static inline bool span_is_swappable(const struct slab *span)
{
	return span->span_flags & SPAN_IS_SWAPPABLE;
}

static inline bool span_is_out(const struct slab *span)
{
	return load_acquire(&span->state) & SPAN_OUT;
}

/* Whether the books of ->objcg have it, by what else it says: it lives. */
static inline bool span_is_counted(const struct slab *span)
{
	switch (READ_ONCE(span->kind)) {
	case SLAB_SPAN:
	case SLAB_SPAN_HELD:
	case SLAB_SPAN_FREED:
		return true;
	default:
		return false;
	}
}

/* As resident bytes, and as swap. */
__racy_fn static inline bool span_is_charged(const struct slab *span)
{
	return span_is_counted(span) && READ_ONCE(span->state) & SPAN_CHARGED;
}

__racy_fn static inline bool span_is_charged_to_swap(const struct slab *span)
{
	return span_is_counted(span) && READ_ONCE(span->swap);
}

/*
 * What is charged to the memory of ->objcg: all of it while it is in memory; of one that is
 * out, ->packed pages, which its entry has, compressed. objcg_lock().
 */
__racy_fn static inline int64_t span_memory_bytes(const struct slab *span)
{
	int64_t bytes = span_is_charged(span) ? (int64_t)slab_bytes(span) : 0;

	return bytes + ((int64_t)READ_ONCE(span->packed) << PAGE_SHIFT);
}

/* Bits that the caller's isolation lets it change; acquire and release. */
static inline void span_set(struct slab *span, uint32_t bits)
{
	__atomic_or_fetch(&span->state, bits, __ATOMIC_ACQ_REL);
}

static inline void span_clear(struct slab *span, uint32_t bits)
{
	__atomic_and_fetch(&span->state, ~bits, __ATOMIC_ACQ_REL);
}

/* Somebody waits for the span that the caller has: it had better be quick. */
static inline bool span_is_wanted(const struct slab *span)
{
	return READ_ONCE(span->state) & SPAN_WANTED;
}

/* ---- Pins ----------------------------------------------------------------- */

struct span_thread {
	uint64_t stamp;	 /* the last one it has set */
	uint32_t number; /* from 1, of no other thread ever; 0: not needed yet */
};

extern __thread struct span_thread span_thread __attribute__((tls_model("initial-exec")));

/* The calling thread's number, for ->pinner; SPAN_NO_PINNER where there is no os_membarrier(). */
uint32_t span_pinner(void);

/*
 * Whether somebody has it pinned: a sum of parts that may change, exact where they
 * do not, and for who has it BUSY after os_membarrier().
 */
static inline bool span_is_pinned(const struct slab *span)
{
	/* own_pins first: see above. Both pair with span_unpin(). */
	uint32_t own = load_acquire(&span->own_pins);
	uint32_t others = load_acquire(&span->state) >> SPAN_PIN_SHIFT;

	return (own + others) & SPAN_PINS;
}

/*
 * Stamps order unpins in time: those of one thread exactly, those of two if the clock
 * has advanced in between.
 */
#define SPAN_CLOCK_STEP (1ull << 32)

extern uint64_t span_clock __library_var;

static inline void span_clock_advance(void)
{
	atomic_add(&span_clock, SPAN_CLOCK_STEP);
}

static __always_inline_fn uint64_t span_stamp(void)
{
	uint64_t now = READ_ONCE(span_clock);
	uint64_t stamp = span_thread.stamp + 1;

	if (stamp < now)
		stamp = now;
	span_thread.stamp = stamp;
	return stamp;
}

/* 32 bits of a stamp that differ when stamps do; but for chance. */
static inline uint32_t span_stamp_short(uint64_t stamp)
{
	return (uint32_t)(stamp ^ (stamp >> 32) * 0x9e3779b1u);
}

/* ---- References ----------------------------------------------------------- */

/*
 * A reference of a span that may be going, unless it has none any more. What keeps the
 * struct a span's: slab_table_lock, or its list's lock while it is on a list.
 */
static inline bool span_tryget(struct slab *span)
{
	uint32_t refs = READ_ONCE(span->refs);

	do {
		if (refs == 0)
			return false;
	} while (!cmpxchg_acquire(&span->refs, &refs, refs + 1));
	return true;
}

/* A reference of whom it is charged to; NULL if that is nobody. It may change any time. */
struct obj_cgroup *span_get_objcg(const struct slab *span);

/* free() of a block whose span others have, too; false if it is no live block. */
bool span_free_shared(struct slab *span);

/* Whether a block of malloc() is all that uses its span. */
static inline bool span_is_private(const struct slab *span)
{
	return load_acquire(&span->refs) == 1; /* pairs with span_put() */
}

/* ---- Isolation ------------------------------------------------------------ */

/*
 * Has the span for the caller alone, who has a reference; waits while another
 * has. Within the gate from then on. Returns 0, or -EBUSY if it is pinned. No lock is held.
 */
int span_isolate(struct slab *span);

/* The end of that: those who wait go on, and the gate is left. */
void span_putback(struct slab *span);

/*
 * The same in two steps, which do not wait: for a list of spans, with locks held. The
 * caller is within the gate. span_isolate_begin() fails if the span is BUSY or, as far as
 * can be seen, pinned. span_isolate_check() follows, before anything is done with it;
 * if it returns false the span is not BUSY any more.
 */
bool span_isolate_begin(struct slab *span);
bool span_isolate_check(struct slab *span);

/* What that looks at: whether nobody has it pinned, for who has it BUSY. */
bool span_is_alone(const struct slab *span);

/* Only the end of BUSY; any lock may be held. */
void span_end_busy(struct slab *span);

/* A pin for the caller, who has it BUSY; the content is in memory when that ends. */
void span_pin_busy(struct slab *span);

/* Waits for the end of BUSY, if it is; what the state was then. */
uint32_t span_wait(struct slab *span);

/*
 * Around sections in which spans are BUSY, and references are held that a forked child
 * should not find: fork waits for their end, before it takes a lock. May wait for a fork,
 * so no lock is held; but not within another such section of the thread.
 */
void span_gate_enter(void);
void span_gate_leave(void);

/* Fork: waits for all who are within, and keeps others out until span_gate_open(). */
void span_gate_close(void);
void span_gate_open(void);
void spans_fork_child(void);

/* ---- The run -------------------------------------------------------------- */

/*
 * Memory for an isolated span that has none: sets ->start and what belongs to
 * it. It is found by its address only after span_run_map(). *@zeroed tells whether it
 * reads as zero. Returns 0 or -ENOMEM.
 */
int span_run_get(struct slab *span, bool *zeroed);
void span_run_map(struct slab *span);

/* Gives it back. ->start is NULL then. */
void span_run_put(struct slab *span);

/*
 * Moves spans until @most huge pages are free that were not; as span_compact(). No lock is
 * held. In a callback of a shrinker nothing happens.
 */
size_t spans_compact(size_t most);

/* ---- Swap ----------------------------------------------------------------- */

/* ->packed becomes 0, and is uncharged: the content is elsewhere, or of no use. objcg_lock(). */
void span_uncharge_packed(struct slab *span);

/* drop_swap(): the span's group was killed; and what is stored is to be written over. */
#define SPAN_DROP_KILLED 1u
#define SPAN_DROP_WIPE	 2u

/* What the layer above does. Set once, by a constructor; each may be NULL. */
struct span_ops {
	/*
	 * Brings the content of a span that was OUT back, with a pin for the caller. No
	 * lock is held, nor is it BUSY. Returns 0, -EAGAIN to look at it again, or -errno.
	 */
	int (*swap_in)(struct slab *span);

	/* A span that may be swapped: is new, and pinned; and before it goes. No lock is held. */
	void (*lru_add)(struct slab *span);
	void (*lru_del)(struct slab *span);

	/*
	 * What was ->swap of a span, and is charged to nobody any more: its memory and its
	 * room in the file. No lock is held.
	 */
	void (*drop_swap)(struct swap_entry *entry, unsigned int flags);
};

extern struct span_ops span_ops;

/* One that is charged to somebody goes on his list, if it may be swapped, and off. */
static inline void span_lru_add(struct slab *span)
{
	if (span_is_swappable(span) && span->objcg && span_ops.lru_add)
		span_ops.lru_add(span);
}

static inline void span_lru_del(struct slab *span)
{
	if (span_is_swappable(span) && span->objcg && span_ops.lru_del)
		span_ops.lru_del(span);
}

#endif
