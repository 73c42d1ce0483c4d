/* SPDX-License-Identifier: MIT */
/*
 * memory.peak and memory.swap.peak: one for the group, and one for each reader that began anew.
 *
 * Charges know two marks: ->peak, and ->peak_local, which is set back to the usage
 * whenever a reader begins anew. What it was until then is noted with all other
 * readers of the group first, so each has the highest since it began:
 *
 *	reset by one			read by another
 *	--------------			---------------
 *	R1. value = max(value, local)	P1. local
 *	R2. local = usage		P2. value
 *
 * P1 acquires what R2 released: who misses the mark in local finds it in value.
 */
#include <errno.h>

#include "accounting/memcg_more.h"
#include "alloc/base/meta.h"
#include "alloc/base/os.h"

#define NOT_RESET -1 /* reads as the group's */

struct mem_cgroup_peak {
	struct list_head list;	      /* more->peaks */
	struct mem_cgroup *memcg;     /* const; a reference */
	struct counters_level *level; /* const: of its memory, or its swap */
	int64_t value;		      /* atomic, grows but by its own reset; cgroup_lock to write */
};

static uint64_t to_bytes(int64_t pages)
{
	return (uint64_t)pages << PAGE_SHIFT;
}

/* cgroup_lock */
static void note_with_all(const struct memcg_more *more, const struct counters_level *level,
			  int64_t pages)
{
	struct mem_cgroup_peak *peak;

	list_for_each_entry (peak, &more->peaks, list)
		if (peak->level == level && peak->value != NOT_RESET && peak->value < pages)
			WRITE_ONCE(peak->value, pages);
}

/* cgroup_lock; R1 and R2. A charge may raise the mark meanwhile. */
static int64_t lower_mark(const struct memcg_more *more, struct counters_level *level)
{
	int64_t local = READ_ONCE(level->peak_local), usage;

	do {
		if (more)
			note_with_all(more, level, local);
		usage = READ_ONCE(level->usage);
		/* Pairs with the acquire in mem_cgroup_peak_read(). */
	} while (!cmpxchg_release(&level->peak_local, &local, usage));
	return usage;
}

static void reset_peak(struct mem_cgroup *memcg, struct counters_level *level)
{
	counters_own();
	lock(&cgroup_lock);
	atomic_xchg(&level->peak, lower_mark(memcg_more_if_any(memcg), level));
	/* A charge raises ->peak_local first: if we have just undone the other, redo it. */
	page_counter_raise(&level->peak, READ_ONCE(level->peak_local));
	unlock(&cgroup_lock);
}

void mem_cgroup_reset_peak(struct mem_cgroup *memcg)
{
	reset_peak(memcg, memcg->memory.level);
}

void mem_cgroup_reset_swap_peak(struct mem_cgroup *memcg)
{
	reset_peak(memcg, memcg->swap.level);
}

static struct mem_cgroup_peak *open_peak(struct mem_cgroup *memcg, struct counters_level *level)
{
	struct memcg_more *more = memcg_more(memcg);
	struct mem_cgroup_peak *peak = more ? meta_alloc(sizeof(*peak)) : NULL;

	if (!peak) {
		errno = ENOMEM;
		return NULL;
	}
	mem_cgroup_get(memcg);
	peak->memcg = memcg;
	peak->level = level;
	peak->value = NOT_RESET;
	lock(&cgroup_lock);
	list_add_tail(&peak->list, &more->peaks);
	unlock(&cgroup_lock);
	return peak;
}

struct mem_cgroup_peak *mem_cgroup_peak_open(struct mem_cgroup *memcg)
{
	return open_peak(memcg, memcg->memory.level);
}

struct mem_cgroup_peak *mem_cgroup_swap_peak_open(struct mem_cgroup *memcg)
{
	return open_peak(memcg, memcg->swap.level);
}

uint64_t mem_cgroup_peak_read(const struct mem_cgroup_peak *peak)
{
	/* Pairs with the release in lower_mark(). */
	int64_t local = load_acquire(&peak->level->peak_local);
	int64_t value = READ_ONCE(peak->value);

	if (value == NOT_RESET)
		return to_bytes(READ_ONCE(peak->level->peak));
	return to_bytes(max_t(int64_t, value, local));
}

void mem_cgroup_peak_reset(struct mem_cgroup_peak *peak)
{
	counters_own();
	lock(&cgroup_lock);
	WRITE_ONCE(peak->value, lower_mark(memcg_more_if_any(peak->memcg), peak->level));
	unlock(&cgroup_lock);
}

void mem_cgroup_peak_close(struct mem_cgroup_peak *peak)
{
	if (!peak)
		return;
	lock(&cgroup_lock);
	list_del_init(&peak->list);
	unlock(&cgroup_lock);
	mem_cgroup_put(peak->memcg);
	meta_free(peak, sizeof(*peak));
}
