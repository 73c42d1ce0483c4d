/* SPDX-License-Identifier: MIT */
/*
 * Frees from elsewhere: by threads that do not own the object's slab.
 *
 * One word of the slab says whether a heap owns it, and heads the list of
 * objects that others freed, so no free can slip past an owner that is letting
 * go:
 *
 *   owned, empty --free--> owned, list of n --collect--> owned, empty
 *        |                                     by the owner
 *     disown                                   (xchg)
 *        v
 *   ownerless, n live --free--> ownerless, n - 1 --...--> 0: destroyed, by
 *                                                         that free
 *
 * Who makes the list not empty also puts the slab on the owner's
 * heap->remote_slabs, so the owner finds it without looking at every slab.
 * Until that is done the word is not collected and the slab not disowned: both
 * start from heap->remote_slabs. So the slab and its heap stay for as long as
 * that free looks at them, without a reference.
 *
 *   free                              owner
 *   ----------------------------      --------------------------------
 *   object->next = list               slab = xchg(remote_slabs, NULL)
 *   cmpxchg(word), release            list = xchg(word, empty), acquire
 *   push on remote_slabs, release     or, with all collected:
 *                                     cmpxchg(word, empty -> ownerless)
 */
#ifndef ALLOC_SLAB_REMOTE_H
#define ALLOC_SLAB_REMOTE_H

#include "alloc/slab/slab.h"

/*
 * The object's bytes were credited already. The slab may be gone when this
 * returns. No lock may be held.
 */
void remote_free(struct slab *slab, void *object);

/*
 * The same but for one thing: if the slab's heap is parked, nobody collects for it.
 * The slab has an owner, and keeps it meanwhile: cgroup_lock, or heap->lock.
 */
void remote_push(struct slab *slab, void *object);

/*
 * Takes over what was freed from elsewhere: the objects go to slab->free.
 * Returns how many. The slab was found on heap->remote_slabs; heap->lock.
 */
uint32_t remote_collect(struct slab *slab);

/*
 * Makes the slab ownerless, or destroys it if no object is live. Returns false,
 * and does nothing, if there are objects to collect first; otherwise the slab
 * is gone for the caller. heap->lock; another reference of the objcg is held.
 */
bool remote_disown(struct slab *slab);

/* Whether all objects of the slab are on the remote list. Found as for remote_collect(). */
bool remote_is_all(const struct slab *slab);

/* Objects on the remote list, or live ones of an ownerless slab. */
uint32_t remote_count(const struct slab *slab);
bool remote_is_ownerless(const struct slab *slab);

/* The objects of the remote list; only while nobody frees. */
void *remote_first(const struct slab *slab);

#endif
