/* SPDX-License-Identifier: MIT */
#include "accounting/page_counter.h"

#include "accounting/mem_cgroup.h"
#include "alloc/base/message.h"

/* ->peak_local is never above ->peak for long: see memcg_peak.c. */
static void raise_peak(struct counters_record *record, int64_t usage)
{
	if (likely(usage <= READ_ONCE(record->peak_local)))
		return;
	page_counter_raise(&record->peak_local, usage);
	page_counter_raise(&record->peak, usage);
}

static void uncharge_one(struct counters_record *record, int64_t pages)
{
	int64_t usage = atomic_sub(&record->usage, pages);

	if (unlikely(usage < 0))
		die("page counter of '%s' fell to %ld pages", record->name, (long)usage);
}

/* Returns the usage with the pages, or -1 if there is no room for them. */
static int64_t try_charge_one(struct page_counter *counter, int64_t pages)
{
	struct counters_record *record = counter->record;
	int64_t usage = READ_ONCE(record->usage);

	do {
		/* A limit does not bind the root. */
		if (counter->parent && usage + pages > READ_ONCE(record->max)) {
			atomic_add(&record->failcnt, 1);
			return -1;
		}
	} while (!cmpxchg_relaxed(&record->usage, &usage, usage + pages));
	return usage + pages;
}

/*
 * From @counter up to below @above; NULL: up to the root. The peaks are raised on the way back,
 * when the pages are granted: what is refused above was never used below.
 */
static bool try_charge_from(struct page_counter *counter, const struct page_counter *above,
			    int64_t pages, struct page_counter **fail)
{
	int64_t usage = try_charge_one(counter, pages);

	if (usage < 0) {
		*fail = counter;
		return false;
	}
	if (counter->parent != above && !try_charge_from(counter->parent, above, pages, fail)) {
		uncharge_one(counter->record, pages);
		return false;
	}
	raise_peak(counter->record, usage);
	return true;
}

bool page_counter_try_charge(struct page_counter *counter, int64_t pages,
			     struct page_counter **fail)
{
	counters_own();
	return try_charge_from(counter, NULL, pages, fail);
}

bool page_counter_try_charge_below(struct page_counter *counter, const struct page_counter *above,
				   int64_t pages, struct page_counter **fail)
{
	counters_own();
	return counter == above || try_charge_from(counter, above, pages, fail);
}

void page_counter_uncharge_below(struct page_counter *counter, const struct page_counter *above,
				 int64_t pages)
{
	counters_own();
	for (; counter != above; counter = counter->parent)
		uncharge_one(counter->record, pages);
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
	for (; counter; counter = counter->parent)
		uncharge_one(counter->record, pages);
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
