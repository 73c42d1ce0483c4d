/* SPDX-License-Identifier: MIT */
/*
 * Hierarchical counters in pages of PAGE_SIZE: a group has one for memory, and one for
 * what of it is in swap.
 *
 * A charge is made in the counter and all its ancestors or in none. Usage never
 * passes max, not even for a moment: each level is compared and exchanged, so
 * two charges that race near one limit do not refuse each other for pages that
 * neither gets. (A charge that an ancestor refuses holds its pages below for a
 * moment; who is refused by that tries again, charge_again().) Only __GFP_NOFAIL
 * charges go past.
 */
#ifndef ACCOUNTING_PAGE_COUNTER_H
#define ACCOUNTING_PAGE_COUNTER_H

#include "accounting/counters.h"

struct page_counter {
	struct counters_record *record; /* const after creation */
	struct counters_level *level;	/* const: its part of the record */
	struct page_counter *parent;	/* const; NULL for the root */
};

/* What of a group's memory is protected; swap is not. */
struct page_protection {
	/*
	 * Atomic: the smaller of usage and min or low, and the sums of the children's.
	 * At any quiet moment they are right; see propagate_protected_usage().
	 */
	int64_t min_usage, low_usage;
	int64_t children_min_usage, children_low_usage;

	/* Atomic; what of min and low is in effect: see protection.c. */
	int64_t emin, elow;
};

/*
 * Returns whether the pages were charged; if not, *@fail is the counter whose
 * limit was in the way.
 */
bool page_counter_try_charge(struct page_counter *counter, int64_t pages,
			     struct page_counter **fail);

/*
 * The same for pages that come from elsewhere below @above: charged from @counter
 * up to it, but not there. The way back.
 */
bool page_counter_try_charge_below(struct page_counter *counter, const struct page_counter *above,
				   int64_t pages, struct page_counter **fail);
void page_counter_uncharge_below(struct page_counter *counter, const struct page_counter *above,
				 int64_t pages);

/* Charges past any limit. */
void page_counter_charge(struct page_counter *counter, int64_t pages);

void page_counter_uncharge(struct page_counter *counter, int64_t pages);

/* Raises a mark to @usage, if it is below. */
static inline void page_counter_raise(int64_t *mark, int64_t usage)
{
	int64_t old = READ_ONCE(*mark);

	while (usage > old && !cmpxchg_relaxed(mark, &old, usage))
		;
}

/* Protection of memory: of a counter that has a parent. */
void page_counter_set_min(struct page_counter *counter, int64_t pages);
void page_counter_set_low(struct page_counter *counter, int64_t pages);

/*
 * After usage, min or low have changed; of swap nothing is done. Forgetting is for a counter whose
 * sums are not to be relied on, while nobody else is there.
 */
void propagate_protected_usage(struct page_counter *counter);
void page_counter_forget_protected_usage(struct page_counter *counter);

/* Pages that may be charged before the nearest limit; racy by nature. */
int64_t page_counter_margin(const struct page_counter *counter);

/* The same before the nearest high. */
int64_t page_counter_margin_high(const struct page_counter *counter);

#endif
