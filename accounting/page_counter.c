/* SPDX-License-Identifier: MIT */
#include "accounting/page_counter.h"

#include "accounting/mem_cgroup.h"
#include "alloc/base/message.h"

static void raise_peak(struct counters_record *record, int64_t usage)
{
	int64_t peak = READ_ONCE(record->peak);

	while (usage > peak && !cmpxchg_relaxed(&record->peak, &peak, usage))
		;
}

static bool try_charge_one(struct page_counter *counter, int64_t pages)
{
	struct counters_record *record = counter->record;
	int64_t usage = READ_ONCE(record->usage);

	do {
		/* A limit does not bind the root. */
		if (counter->parent && usage + pages > READ_ONCE(record->max)) {
			atomic_add(&record->failcnt, 1);
			return false;
		}
	} while (!cmpxchg_relaxed(&record->usage, &usage, usage + pages));
	raise_peak(record, usage + pages);
	return true;
}

static void uncharge_below(struct page_counter *counter, const struct page_counter *end,
			   int64_t pages)
{
	for (; counter != end; counter = counter->parent) {
		int64_t usage = atomic_sub(&counter->record->usage, pages);

		if (unlikely(usage < 0))
			die("page counter of '%s' fell to %ld pages", counter->record->name,
			    (long)usage);
	}
}

bool page_counter_try_charge(struct page_counter *counter, int64_t pages,
			     struct page_counter **fail)
{
	counters_own();
	for (struct page_counter *c = counter; c; c = c->parent) {
		if (!try_charge_one(c, pages)) {
			uncharge_below(counter, c, pages);
			*fail = c;
			return false;
		}
	}
	return true;
}

void page_counter_charge(struct page_counter *counter, int64_t pages)
{
	counters_own();
	for (; counter; counter = counter->parent)
		raise_peak(counter->record, atomic_add(&counter->record->usage, pages));
}

void page_counter_uncharge(struct page_counter *counter, int64_t pages)
{
	counters_own();
	uncharge_below(counter, NULL, pages);
}

int64_t page_counter_margin(const struct page_counter *counter)
{
	int64_t margin = COUNTERS_NO_LIMIT;

	for (; counter->parent; counter = counter->parent) {
		int64_t room = READ_ONCE(counter->record->max) - READ_ONCE(counter->record->usage);

		margin = min_t(int64_t, margin, room);
	}
	return margin;
}
