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

/* The group, if it is its memory that is counted; NULL: its swap. */
static struct mem_cgroup *memory_of(struct page_counter *counter)
{
	if (counter->level != &counter->record->memory)
		return NULL;
	return container_of(counter, struct mem_cgroup, memory);
}

static void propagate_memory(struct mem_cgroup *memcg)
{
	const struct counters_record *record = memcg->memory.record;
	struct page_protection *own = &memcg->protection, *parent;

	/* Most groups are not protected, and never were. */
	if (likely(!(READ_ONCE(record->min) | READ_ONCE(record->low) | READ_ONCE(own->min_usage) |
		     READ_ONCE(own->low_usage))))
		return;
	if (!memcg->parent)
		return;
	parent = &memcg->parent->protection;
	propagate(&record->memory.usage, &record->min, &own->min_usage,
		  &parent->children_min_usage);
	propagate(&record->memory.usage, &record->low, &own->low_usage,
		  &parent->children_low_usage);
}

void propagate_protected_usage(struct page_counter *counter)
{
	struct mem_cgroup *memcg = memory_of(counter);

	if (memcg)
		propagate_memory(memcg);
}

void page_counter_forget_protected_usage(struct page_counter *counter)
{
	memory_of(counter)->protection = (struct page_protection){0};
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
static void raise_peak(struct counters_level *level, int64_t usage)
{
	if (likely(usage <= READ_ONCE(level->peak_local)))
		return;
	page_counter_raise(&level->peak_local, usage);
	page_counter_raise(&level->peak, usage);
}

static void uncharge_one(struct page_counter *counter, int64_t pages)
{
	int64_t usage = atomic_sub(&counter->level->usage, pages);

	if (unlikely(usage < 0))
		die("page counter of '%s' fell to %ld pages", counter->record->name, (long)usage);
	propagate_protected_usage(counter);
}

static bool is_high(const struct counters_level *level)
{
	return READ_ONCE(level->usage) > READ_ONCE(level->high);
}

/*
 * So many pages were granted, and usage is what it is with them. Who takes memory is
 * slowed down for too much swap, too: what goes there goes to make room for him.
 */
static void note_granted(struct page_counter *counter, int64_t pages, int64_t usage)
{
	struct mem_cgroup *memcg = memory_of(counter);

	raise_peak(counter->level, usage);
	if (!memcg)
		return;
	propagate_memory(memcg);
	if (unlikely(usage > READ_ONCE(counter->level->high) || is_high(memcg->swap.level)))
		memalloc_note_high(memcg, pages);
}

/* Returns the usage with the pages, or -1 if there is no room for them. */
static int64_t try_charge_one(struct page_counter *counter, int64_t pages)
{
	struct counters_level *level = counter->level;
	int64_t usage = READ_ONCE(level->usage);

	do {
		/* A limit does not bind the root. */
		if (counter->parent && usage + pages > READ_ONCE(level->max)) {
			atomic_add(&level->failcnt, 1);
			return -1;
		}
	} while (!cmpxchg_relaxed(&level->usage, &usage, usage + pages));
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
		raise_peak(counter->level, atomic_add(&counter->level->usage, pages));
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
		int64_t room = READ_ONCE(counter->level->max) - READ_ONCE(counter->level->usage);

		margin = min_t(int64_t, margin, room);
	}
	return margin;
}

int64_t page_counter_margin_high(const struct page_counter *counter)
{
	int64_t margin = COUNTERS_NO_LIMIT;

	for (; counter; counter = counter->parent) {
		int64_t room = READ_ONCE(counter->level->high) - READ_ONCE(counter->level->usage);

		margin = min_t(int64_t, margin, room);
	}
	return margin;
}
