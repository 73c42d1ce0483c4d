/* SPDX-License-Identifier: MIT */
/*
 * How slabs move between the lists of their heap. Everything here wants
 * heap->lock, and an owner or borrower of the heap where nothing else is said.
 */
#ifndef ALLOC_SLAB_HEAP_SLABS_H
#define ALLOC_SLAB_HEAP_SLABS_H

#include "alloc/slab/heap.h"

/* Each takes a slab that is on no list. */
void heap_place_full(struct heap *heap, struct slab *slab);
void heap_place_partial(struct heap *heap, struct slab *slab);

/* Takes a slab off its list; it will go. */
void heap_take_off(struct heap *heap, struct slab *slab);

/* The slabs of one cache, for which the heap has a slot; @fn may take them off. */
void heap_for_each_slab_of(struct heap *heap, const struct kmem_cache *cache,
			   void (*fn)(struct heap *heap, struct slab *slab, void *arg), void *arg);

/* Takes a slab without used objects off its list, and gives it back. */
void heap_destroy_empty(struct heap *heap, struct slab *slab);

/* One that was kept, or NULL. */
struct slab *heap_first_empty(const struct heap_slot *slot);

/* Makes an empty slab that was kept a partial one; false: none. */
bool heap_reuse_empty(struct heap *heap, struct heap_slot *slot);

/* For a new slab of so many bytes: where much is kept, empty slabs of others go first. */
void heap_yield_empty(struct heap *heap, size_t bytes);

/* An empty slab that nobody has wanted for long, off its list and to the system. */
void heap_destroy_idle(struct heap *heap, struct slab *slab);

/*
 * The free objects of the first partial slab, if it has any, become the
 * freelist, which is empty. Returns the slab: there may be something to carve.
 */
struct slab *heap_take_partial(struct heap *heap, struct heap_slot *slot);

/* An object that was freed elsewhere, to its freelist or slab. */
void heap_take_back(struct heap *heap, struct heap_slot *slot, void *object);

/* Takes in what other heaps have passed on. */
void heap_collect_incoming(struct heap *heap);

/* The same for any thread: it goes to the slabs' remote lists. cgroup_lock too. */
void heap_redirect_incoming(struct heap *heap);

/* Gives back a slab none of whose objects is live or on a freelist; any thread. */
void heap_bury_slab(struct heap *heap, struct slab *slab);

/* Sets right what a fork may have left of heap_free_away(). */
void heap_recover_away(struct heap *heap);

/* What waits on a freelist goes back to its slabs. */
void heap_flush_slot(struct heap *heap, struct heap_slot *slot);

/*
 * Looks at some slots, by turns. A freelist that is as it was the last time keeps
 * half, the part that was freed last: objects that wait pin their slabs.
 */
void heap_flush_idle(struct heap *heap);

/* Takes a slab without used objects off its list; keeps or destroys it. */
void heap_slab_emptied(struct heap *heap, struct slab *slab);

/* Counts what changed in the slab's used objects, for the record of the group. */
void heap_note_objects(struct heap *heap, struct slab *slab);

/* So many objects are used now; the slab may change its place or go. */
void heap_slab_update_place(struct heap *heap, struct slab *slab, uint32_t used);

/* Takes in what was freed from elsewhere, in whatever way. */
void heap_collect_remote(struct heap *heap);

#endif
