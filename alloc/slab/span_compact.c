/* SPDX-License-Identifier: MIT */
/*
 * Compaction: from the top of the address space down, huge pages are looked for
 * in which nothing lies but spans that are not pinned. Those go to free runs further
 * down, of huge pages that others use already; then the huge page is free, and goes back
 * to the system whole.
 *
 * A span is found by its address, and may go at any moment. One of a group that is killed
 * may not even be looked at then: so it is looked up twice, under slab_table_lock. The first
 * time for its group, which is kept from being killed as for a shrinker's callback; then, if
 * it has not changed its group, for a reference and its isolation. Both end under that lock
 * as well: nobody can give the span to another group before we have let it go.
 */
#include <string.h>

#include "alloc/base/meta.h"
#include "alloc/base/rcu.h"
#include "alloc/pages/page_huge.h"
#include "alloc/pages/page_run.h"
#include "alloc/slab/span.h"
#include "alloc/slab/span_move.h"

/* Many small spans are not worth a huge page. */
#define MOST_SPANS 64

/* What has to go for a huge page to be free, and where it may go. */
struct move {
	char *from, *to;
	uint32_t npages;
	struct mem_cgroup *memcg; /* kept from being killed; NULL: charged to nobody */
	struct slab *span;	  /* has lost all other references meanwhile; or NULL */
};

struct plan {
	char *start, *end; /* the huge page */
	uint32_t nr;
	struct move moves[MOST_SPANS];
};

/* ---- One span -------------------------------------------------------------- */

/* slab_table_lock, which keeps its obj_cgroup. */
static struct mem_cgroup *group_of(const struct slab *span)
{
	return span->objcg ? obj_cgroup_memcg(span->objcg) : NULL;
}

static bool find_group(struct slab *span, void *arg)
{
	struct move *move = arg;
	bool found;

	rcu_read_lock();
	move->memcg = group_of(span);
	found = !move->memcg || mem_cgroup_tryget(move->memcg);
	rcu_read_unlock();
	return found;
}

/* Its group is not killed from here on. */
static bool begin(struct move *move)
{
	move->span = NULL;
	if (!slab_table_look(move->from, find_group, move))
		return false;
	if (!move->memcg || memcg_shrink_begin(move->memcg))
		return true;
	mem_cgroup_put(move->memcg);
	return false;
}

static void end(struct move *move)
{
	if (move->span)
		span_put(slab_span(move->span));
	if (!move->memcg)
		return;
	memcg_shrink_end(move->memcg);
	mem_cgroup_put(move->memcg);
}

/* Isolated, with a reference; the pins are still to be looked at. */
static bool take(struct slab *span, void *arg)
{
	struct move *move = arg;

	if (group_of(span) != move->memcg || span_is_out(span) || !span_isolate_begin(span))
		return false;
	if (span->start != move->from) { /* a migration was just done with it */
		span_end_busy(span);
		return false;
	}
	move->span = span;
	if (span_tryget(span))
		return true;
	move->span = NULL;
	span_end_busy(span); /* its last put waits for slab_table_lock */
	return false;
}

/* The end of that. The last reference stays, as the span cannot go with a lock held. */
static bool let_go(struct slab *span, void *arg)
{
	struct move *move = arg;
	uint32_t refs = READ_ONCE(span->refs);

	span_end_busy(span);
	do {
		if (refs == 1)
			return false;
	} while (!cmpxchg_acq_rel(&span->refs, &refs, refs - 1));
	move->span = NULL;
	return true;
}

/* BUSY. Whether it may go there, and has. */
static bool move_busy(const struct move *move)
{
	struct span_run old = span_run_of(move->span);
	struct span_run new = {.start = move->to, .capacity = move->npages};

	if (span_pages(move->span) != move->npages || !span_is_alone(move->span))
		return false;
	span_copy(move->span, &new);
	span_set_run(move->span, &new);
	span_run_free(&old);
	return true;
}

static bool move_span(struct move *move)
{
	bool moved;

	if (!slab_table_look(move->from, take, move))
		return false;
	moved = move_busy(move);
	slab_table_look(moved ? move->to : move->from, let_go, move);
	return moved;
}

/* ---- One huge page ---------------------------------------------------------- */

/* Any may change at any time: it is looked at again before it moves. */
static __racy_fn size_t bytes_of(const struct slab *span)
{
	return (size_t)READ_ONCE(span->grains) << GRAIN_SHIFT;
}

/* Whether it seems so. */
static __racy_fn bool may_move(const struct slab *span, const char *start)
{
	return load_acquire(&span->kind) == SLAB_SPAN_HELD && READ_ONCE(span->start) == start &&
	       bytes_of(span) <= HUGE_SIZE && !span_is_out(span) && !span_is_pinned(span);
}

/* A slab of objects, or a block. */
static bool is_fixed(const struct slab *slab)
{
	uint8_t kind = load_acquire(&slab->kind);

	return kind == SLAB_OBJECTS || kind == SLAB_SPAN;
}

static bool add_move(struct plan *plan, char *from, size_t bytes)
{
	if (plan->nr == MOST_SPANS)
		return false;
	plan->moves[plan->nr].from = from;
	plan->moves[plan->nr++].npages = (uint32_t)(bytes >> PAGE_SHIFT);
	return true;
}

/* Which spans lie in the huge page: all that is used in it, or false. */
static bool find_spans(struct plan *plan, size_t used)
{
	/* The first one may begin in the huge page before. */
	char *addr = plan->start - HUGE_SIZE + PAGE_SIZE;

	plan->nr = 0;
	for (; addr < plan->end && used; addr += PAGE_SIZE) {
		const struct slab *span = slab_of(addr);
		size_t bytes = bytes_of(span);
		char *end = addr + bytes;

		if (addr >= plan->start && is_fixed(span))
			return false;
		if (!may_move(span, addr) || end <= plan->start)
			continue;
		if (!add_move(plan, addr, bytes))
			return false;
		used -= (size_t)(min_t(char *, end, plan->end) -
				 max_t(char *, addr, plan->start)) >>
			PAGE_SHIFT;
	}
	return !used;
}

static bool begin_all(struct plan *plan)
{
	for (uint32_t i = 0; i < plan->nr; i++) {
		if (begin(&plan->moves[i]))
			continue;
		plan->nr = i;
		return false;
	}
	return true;
}

static void free_targets(const struct plan *plan, uint32_t first, uint32_t last)
{
	for (uint32_t i = first; i < last; i++)
		page_run_free(plan->moves[i].to, plan->moves[i].npages);
}

/* *@too_long: so many pages are free nowhere below. */
static bool find_targets(struct plan *plan, const struct page_huge_map *map, uint32_t *too_long)
{
	for (uint32_t i = 0; i < plan->nr; i++) {
		struct move *move = &plan->moves[i];

		move->to = NULL;
		if (move->npages < *too_long)
			move->to = page_run_alloc_low(map, move->npages, plan->start);
		if (move->to)
			continue;
		*too_long = min_t(uint32_t, *too_long, move->npages);
		free_targets(plan, 0, i);
		return false;
	}
	return true;
}

/* One that does not go spoils it: the others may stay where they are. */
static bool move_all(struct plan *plan)
{
	for (uint32_t i = 0; i < plan->nr; i++) {
		if (move_span(&plan->moves[i]))
			continue;
		free_targets(plan, i, plan->nr);
		return false;
	}
	return true;
}

static bool empty_huge(const struct page_huge_map *map, uint32_t huge, uint32_t *too_long)
{
	size_t used = HUGE_PAGES - map->free[huge];
	struct plan plan = {.start = page_map.base + huge * HUGE_SIZE};
	bool done = false;

	plan.end = plan.start + HUGE_SIZE;
	if (!used || !find_spans(&plan, used))
		return false;
	span_gate_enter(); /* a forked child shall not have runs and references of nobody */
	if (begin_all(&plan))
		done = find_targets(&plan, map, too_long) && move_all(&plan);
	for (uint32_t i = 0; i < plan.nr; i++)
		end(&plan.moves[i]);
	span_gate_leave();
	return done;
}

/* ---- All --------------------------------------------------------------------- */

static size_t compact(struct page_huge_map *map, size_t most)
{
	uint32_t too_long = HUGE_PAGES + 1;
	size_t done = 0;

	page_runs_count_huge(map);
	/* Page 0 of the first one is nobody's. */
	for (uint32_t huge = map->nr; --huge > 0 && done < most && too_long > 1;)
		done += empty_huge(map, huge, &too_long);
	return page_runs_purge_huge(map) * HUGE_SIZE;
}

size_t spans_compact(size_t most)
{
	struct page_huge_map map = {.nr = page_runs_huge()};
	size_t size, bytes;

	/* By powers of two, as the arena keeps what it was given back for the same length. */
	size = sizeof(*map.free) * 2ul << log2_floor(max_t(uint32_t, map.nr, 2048));
	if (memcg_is_shrinking() || !(map.free = meta_alloc(size)))
		return 0;
	rcu_take_in_thread();
	bytes = compact(&map, most);
	meta_free(map.free, size);
	return bytes;
}

size_t span_compact(void)
{
	return spans_compact(SIZE_MAX);
}
