/* SPDX-License-Identifier: MIT */
#include "shrinker/shrinker_slot.h"

#include "alloc/base/os.h"

static uint64_t pack(uint32_t generation, uint64_t nr)
{
	return (uint64_t)generation << DEFERRED_BITS | min_t(uint64_t, nr, DEFERRED_MAX);
}

static unsigned long deferred_of(uint64_t word, uint32_t generation)
{
	return word >> DEFERRED_BITS == generation ? word & DEFERRED_MAX : 0;
}

/* What is there, which may be another shrinker's: then its backing off is, too. */
static uint64_t first_look(struct shrinker_slot *slot, uint32_t generation)
{
	uint64_t word = READ_ONCE(slot->deferred);

	if (unlikely(word >> DEFERRED_BITS != generation))
		WRITE_ONCE(slot->backoff, 0);
	return word;
}

/*
 * Acquire and release: who adds to the slot of a group that goes offline, and who
 * takes what is there then, see each other; shrinker_defer() says how.
 */
unsigned long shrinker_slot_take(struct shrinker_slot *slot, uint32_t generation)
{
	uint64_t old = first_look(slot, generation);

	while (!cmpxchg_acq_rel(&slot->deferred, &old, pack(generation, 0)))
		;
	return deferred_of(old, generation);
}

unsigned long shrinker_slot_add(struct shrinker_slot *slot, uint32_t generation, unsigned long nr)
{
	uint64_t old = first_look(slot, generation);
	unsigned long sum;

	do
		sum = min_t(unsigned long, deferred_of(old, generation) + nr, DEFERRED_MAX);
	while (!cmpxchg_acq_rel(&slot->deferred, &old, pack(generation, sum)));
	return sum;
}

/* ---- Backoff ------------------------------------------------------------ */

/*
 *	31      28 27                       0
 *	+---------+--------------------------+
 *	| strikes | until, in ms, of 74 hours |
 *	+---------+--------------------------+
 *
 * Threads that note at once may lose a strike of each other's.
 */
#define UNTIL_BITS  28
#define UNTIL_MASK  ((1u << UNTIL_BITS) - 1)
#define STRIKES_MAX 15u

bool backoff_is_due(const struct shrinker_slot *slot, uint32_t generation)
{
	uint32_t word = READ_ONCE(slot->backoff);
	uint32_t left;

	if (likely(word >> UNTIL_BITS <= BACKOFF_FREE))
		return true;
	if (READ_ONCE(slot->deferred) >> DEFERRED_BITS != generation)
		return true; /* they are another shrinker's */
	left = (word - (uint32_t)os_clock_ms()) & UNTIL_MASK;
	return left == 0 || left > BACKOFF_MAX_MS; /* or long past */
}

void backoff_note(struct shrinker_slot *slot, bool freed)
{
	uint32_t strikes = READ_ONCE(slot->backoff) >> UNTIL_BITS;
	uint32_t until = 0;

	if (freed) {
		if (strikes)
			WRITE_ONCE(slot->backoff, 0);
		return;
	}
	strikes = min_t(uint32_t, strikes + 1, STRIKES_MAX);
	if (strikes > BACKOFF_FREE)
		until = (uint32_t)os_clock_ms() +
			min_t(uint32_t, 1u << (strikes - BACKOFF_FREE - 1), BACKOFF_MAX_MS);
	WRITE_ONCE(slot->backoff, strikes << UNTIL_BITS | (until & UNTIL_MASK));
}
