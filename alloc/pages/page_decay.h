/* SPDX-License-Identifier: MIT */
/*
 * How much free memory may stay resident.
 *
 * A process that had so much in use a moment ago is likely to want it again,
 * and has shown that the machine bears it: what is used and what is dirty may
 * together reach the peak of the last half to whole second, and some more. The
 * caller locks.
 */
#ifndef ALLOC_PAGES_PAGE_DECAY_H
#define ALLOC_PAGES_PAGE_DECAY_H

#include "alloc/base/compiler.h"

/* The clock: ticks of 64 ms. */
#define TICK_MASK   ((1u << 30) - 1)
#define TICK_SHIFT  6
#define DECAY_TICKS 8 /* so old, dirty runs go: about half a second */

struct page_decay {
	size_t peak_now;    /* most pages used in this period of DECAY_TICKS */
	size_t peak_before; /* and in the one before */
	uint32_t since;	    /* when this period began */
	uint32_t looked;    /* when old runs were looked for */
};

uint32_t page_ticks(void);

static inline bool ticks_passed(uint32_t now, uint32_t since, uint32_t ticks)
{
	return ((now - since) & TICK_MASK) >= ticks;
}

/* @used pages are in use: before a decrease. */
void page_decay_roll(struct page_decay *decay, uint32_t now, size_t used);

/* The same, after an increase. */
static inline void page_decay_note(struct page_decay *decay, size_t used)
{
	if (used > decay->peak_now)
		decay->peak_now = used;
}

/* How many pages may be dirty while @used are in use. */
size_t page_decay_limit(const struct page_decay *decay, size_t used);

/* Whether it is time to look for old runs again. */
bool page_decay_due(struct page_decay *decay, uint32_t now);

#endif
