/* SPDX-License-Identifier: MIT */
#include "accounting/page_counter.h"

#include "accounting/mem_cgroup.h"
#include "accounting/memalloc.h"
#include "alloc/base/message.h"

/*
 * Sets *@protected to the smaller of *@usage and *@setting, and adds the difference to
 * *@sum. Who changes one of the two comes here afterwards, and *@protected is changed
 * in one order by all: so the last of them sees what the others did. Until then the
 * sum may be off by what they are about to add; that makes a walk reclaim a little
 * more here and less there.
 */
static void propagate(const int64_t *usage, const int64_t *setting, int64_t *protected,
		      int64_t *sum)
{
	int64_t seen = atomic_add_acq_rel(protected, 0);
	int64_t now = min_t(int64_t, READ_ONCE(*usage), READ_ONCE(*setting));

	while (now != seen) {
		atomic_add(sum, now - atomic_xchg(protected, now));
		seen = now;
		now = min_t(int64_t, READ_ONCE(*usage), READ_ONCE(*setting));
	}
}

void propagate_protected_usage(struct page_counter *counter)
{
	struct counters_record *record = counter->record;
	struct page_counter *parent = counter->parent;

	/* Most groups are not protected, and never were. */
	if (likely(!(READ_ONCE(record->min) | READ_ONCE(record->low) |
		     READ_ONCE(counter->min_usage) | READ_ONCE(counter->low_usage))))
		return;
	if (!parent)
		return;
	propagate(&record->usage, &record->min, &counter->min_usage, &parent->children_min_usage);
	propagate(&record->usage, &record->low, &counter->low_usage, &parent->children_low_usage);
}

void page_counter_forget_protected_usage(struct page_counter *counter)
{
	counter->min_usage = 0;
	counter->low_usage = 0;
	counter->children_min_usage = 0;
	counter->children_low_usage = 0;
}

void page_counter_set_min(struct page_counter *counter, int64_t pages)
{
	WRITE_ONCE(counter->record->min, pages);
	propagate_protected_usage(counter);
}

void page_counter_set_low(struct page_counter *counter, int64_t pages)
{
	WRITE_ONCE(counter->record->low, pages);
	propagate_protected_usage(counter);
}

/* ->peak_local is never above ->peak for long: see memcg_peak.c. */
static void raise_peak(struct counters_record *record, int64_t usage)
{
	if (likely(usage <= READ_ONCE(record->peak_local)))
		return;
	page_counter_raise(&record->peak_local, usage);
	page_counter_raise(&record->peak, usage);
}

static void uncharge_one(struct page_counter *counter, int64_t pages)
{
	int64_t usage = atomic_sub(&counter->record->usage, pages);

	if (unlikely(usage < 0))
		die("page counter of '%s' fell to %ld pages", counter->record->name, (long)usage);
	propagate_protected_usage(counter);
}

/* So many pages were granted, and usage is what it is with them. */
static void note_granted(struct page_counter *counter, int64_t pages, int64_t usage)
{
	raise_peak(counter->record, usage);
	propagate_protected_usage(counter);
	if (unlikely(usage > READ_ONCE(counter->record->high)))
		memalloc_note_high(container_of(counter, struct mem_cgroup, memory), pages);
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
 * when the pages are granted: what is refused above was never used below. Of those above their
 * high the lowest is noted last, and so remembered.
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
		uncharge_one(counter, pages);
		return false;
	}
	note_granted(counter, pages, usage);
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
		uncharge_one(counter, pages);
}

void page_counter_charge(struct page_counter *counter, int64_t pages)
{
	counters_own();
	for (; counter; counter = counter->parent) {
		raise_peak(counter->record, atomic_add(&counter->record->usage, pages));
		propagate_protected_usage(counter);
	}
}

void page_counter_uncharge(struct page_counter *counter, int64_t pages)
{
	counters_own();
	for (; counter; counter = counter->parent)
		uncharge_one(counter, pages);
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

int64_t page_counter_margin_high(const struct page_counter *counter)
{
	int64_t margin = COUNTERS_NO_LIMIT;

	for (; counter; counter = counter->parent) {
		int64_t room = READ_ONCE(counter->record->high) - READ_ONCE(counter->record->usage);

		margin = min_t(int64_t, margin, room);
	}
	return margin;
}
