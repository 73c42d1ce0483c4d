/* SPDX-License-Identifier: MIT */
/*
 * What is remembered of one shrinker and one group, between calls.
 *
 *	63        40 39                        0
 *	+-----------+---------------------------+
 *	| generation| deferred                  |
 *	+-----------+---------------------------+
 *
 * deferred: objects that were due for a scan, and are to be scanned next time. It
 * is the shrinker's whose generation stands before it; for any other it is 0, so
 * nobody needs to visit all groups when an id passes on.
 *
 * Only the numbers matter: no other memory is published by them.
 */
#ifndef SHRINKER_SHRINKER_SLOT_H
#define SHRINKER_SHRINKER_SLOT_H

#include "alloc/base/atomic.h"
#include "alloc/base/compiler.h"

#define DEFERRED_BITS	40
#define DEFERRED_MAX	((1ul << DEFERRED_BITS) - 1)
#define GENERATION_MASK ((1u << (64 - DEFERRED_BITS)) - 1)

struct shrinker_slot {
	uint64_t deferred; /* atomic */
	uint32_t backoff;  /* atomic; see backoff_is_due() */
};

/* Takes what was deferred. */
unsigned long shrinker_slot_take(struct shrinker_slot *slot, uint32_t generation);

/* Adds to it; returns the sum. */
unsigned long shrinker_slot_add(struct shrinker_slot *slot, uint32_t generation, unsigned long nr);

/*
 * Backoff. A shrinker that was asked to scan and freed nothing BACKOFF_FREE times
 * in a row is left alone for a millisecond, then for two, up to a second; then it
 * is asked again. It starts over as soon as something is freed.
 */
#define BACKOFF_FREE   2
#define BACKOFF_MAX_MS 1024u

bool backoff_is_due(const struct shrinker_slot *slot, uint32_t generation);
void backoff_note(struct shrinker_slot *slot, bool freed);

#endif
