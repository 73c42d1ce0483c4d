/* SPDX-License-Identifier: MIT */
/*
 * Which spans of a group go: those that were unpinned the longest ago.
 *
 * A span is on the list of its group while it is in memory, pinned or not: to take it off and
 * put it back would cost more than the rest of a pin. An unpin only leaves a stamp. The
 * list is put in order by who looks for a victim, from its oldest on:
 *
 *   pinned                         goes to the end
 *   unpinned since it was queued   goes where its stamp belongs, with those behind it of which
 *                                  the same is true
 *   neither                        is the one
 *
 * Each unpin leads to one such move at most.
 */
#include "accounting/mem_cgroup.h"
#include "alloc/base/meta.h"
#include "alloc/slab/span.h"
#include "alloc/swap/swap_area.h"
#include "shrinker/list_lru.h"
#include "shrinker/shrinker.h"
#include "shrinker/swap.h"

/* So far from the end places are looked for. */
#define LOOK_BACK 64

/* Victims that were pinned just before. */
#define TRIES 8

/* A span is dear to bring back. Were it more, one alone would never be due. */
#define SEEKS (2 * DEFAULT_SEEKS)

struct swap_lru {
	struct shrinker *shrinker;
	struct list_lru lists;
};

/* Const once it is set. */
static struct swap_lru *swap_lru;

static struct slab *span_of(struct list_head *item)
{
	return container_of(item, struct slab, lru);
}

/* The item's list is locked. */
static struct mem_cgroup *owner_of(struct list_head *item)
{
	return obj_cgroup_memcg(span_of(item)->objcg);
}

static uint64_t unpinned(struct list_head *item)
{
	return READ_ONCE(span_of(item)->unpinned);
}

/* ---- The order of a list, which is locked --------------------------------------- */

/* Whether it was unpinned since it was queued. */
static bool is_stale(struct list_head *item)
{
	return span_stamp_short(unpinned(item)) != span_of(item)->queued;
}

/* Two lists, each in order, become one in @into. */
static void merge(struct list_head *into, struct list_head *from)
{
	struct list_head *at = into->next, *item;

	while (!list_empty(from)) {
		item = from->next;
		while (at != into && unpinned(at) <= unpinned(item))
			at = at->next;
		list_del_init(item);
		list_add_tail(item, at);
	}
}

static void sort(struct list_head *list, size_t n)
{
	struct list_head half = LIST_HEAD_INIT(half);

	if (n < 2)
		return;
	for (size_t i = 0; i < n / 2; i++) {
		struct list_head *item = list->next;

		list_del_init(item);
		list_add_tail(item, &half);
	}
	sort(&half, n / 2);
	sort(list, n - n / 2);
	merge(list, &half);
}

/* Takes them off, from @item to the first that is in its place. Returns how many. */
static size_t take_stale(struct list_head *items, struct list_head *item, struct list_head *stale)
{
	struct list_head *next;
	size_t n;

	for (n = 0; item != items && is_stale(item); n++, item = next) {
		next = item->next;
		list_del_init(item);
		list_add_tail(item, stale);
		span_of(item)->queued = span_stamp_short(unpinned(item));
	}
	return n;
}

/*
 * Puts them where they belong, which is near the end as a rule. Others that are stale do not
 * count: they will go. Where it is far one may come a little too near to the end.
 */
static void put_in_order(struct list_head *items, struct list_head *item)
{
	struct list_head stale = LIST_HEAD_INIT(stale), *prev;
	int looks = 0;

	sort(&stale, take_stale(items, item, &stale));
	prev = items->prev;
	while (!list_empty(&stale)) {
		item = stale.prev;
		while (prev != items && (is_stale(prev) || unpinned(prev) > unpinned(item)) &&
		       looks++ < LOOK_BACK)
			prev = prev->prev;
		list_del_init(item);
		list_add(item, prev);
	}
}

/* ---- The victim ------------------------------------------------------------------ */

struct search {
	const struct mem_cgroup *memcg;
	struct slab *found;
};

/*
 * With the list locked. Who has the last reference of a span takes it off before it goes, for
 * which he needs that lock; so it is a span still, and its reference may be got unless
 * there is none.
 */
static enum lru_status look_at(struct list_head *item, struct list_lru_one *list, void *arg)
{
	struct slab *span = span_of(item);
	struct search *search = arg;

	if (span_is_pinned(span))
		return LRU_ROTATE;
	if (is_stale(item)) {
		put_in_order(list_lru_items(list), item);
		return LRU_RETRY;
	}
	/* The list of a group without one: mem_cgroup_kill() of that does not know of us. */
	if (unlikely(owner_of(item) != search->memcg))
		return LRU_SKIP;
	if (!span_isolate_begin(span))
		return LRU_SKIP;
	if (!span_tryget(span)) {
		span_end_busy(span);
		return LRU_SKIP;
	}
	search->found = span;
	return LRU_STOP;
}

/* Each is looked at once, and once more where it is put in order. */
static struct slab *find(struct mem_cgroup *memcg)
{
	unsigned long nr = 2 * list_lru_count_one(&swap_lru->lists, 0, memcg);
	struct search search = {.memcg = memcg};

	list_lru_walk_one(&swap_lru->lists, 0, memcg, look_at, &search, &nr);
	return search.found;
}

/* The next to go: BUSY, with a reference, on no list; or NULL. */
static struct slab *take(struct mem_cgroup *memcg)
{
	struct slab *span;

	span_clock_advance(); /* what is unpinned from now on is younger than all before */
	for (int i = 0; i < TRIES; i++) {
		span = find(memcg);
		if (!span)
			break;
		if (span_isolate_check(span)) {
			swap_lru_del(span);
			return span;
		}
		span_put(slab_span(span));
	}
	return NULL;
}

/* ---- The shrinker --------------------------------------------------------------- */

static unsigned long count(struct shrinker *shrinker, struct shrink_control *sc)
{
	unsigned long nr = list_lru_shrink_count(&swap_lru->lists, sc);

	(void)shrinker;
	if (!nr)
		return SHRINK_EMPTY;
	return swap_area_is_set() ? nr : 0;
}

/* The references that are held here are not to be found in a forked child, either. */
static bool swap_out_one(struct mem_cgroup *memcg, bool *found)
{
	struct slab *span;
	int err = -ENOENT;

	span_gate_enter();
	span = take(memcg);
	*found = span;
	if (span) {
		err = swap_out(span);
		if (err)
			swap_lru_add(span);
		span_end_busy(span);
		span_put(slab_span(span));
	}
	span_gate_leave();
	if (!err)
		swap_area_tidy();
	return !err;
}

/* One after the other: how long they are differs, and a few may be enough. */
static unsigned long scan(struct shrinker *shrinker, struct shrink_control *sc)
{
	unsigned long freed = 0;
	bool found = true;

	(void)shrinker;
	for (unsigned long i = 0; i < sc->nr_to_scan && found; i++)
		freed += swap_out_one(sc->memcg, &found);
	return freed || found ? freed : SHRINK_STOP;
}

/* ---- Making it, for the first span ------------------------------------------------ */

static void discard(struct swap_lru *lru)
{
	shrinker_free(lru->shrinker);
	list_lru_destroy(&lru->lists);
	meta_free(lru, sizeof(*lru));
}

static struct swap_lru *make(void)
{
	struct swap_lru *lru = meta_alloc(sizeof(*lru));

	if (!lru)
		return NULL;
	lru->shrinker =
		shrinker_alloc(SHRINKER_MEMCG_AWARE | SHRINKER_MALLOC_SAFE, "swappable spans");
	if (!lru->shrinker || list_lru_init_apart(&lru->lists, lru->shrinker, owner_of)) {
		discard(lru);
		return NULL;
	}
	lru->shrinker->count_objects = count;
	lru->shrinker->scan_objects = scan;
	lru->shrinker->batch = 1;
	lru->shrinker->seeks = SEEKS;
	return lru;
}

/* Of several who make one, one wins. Without memory there is none, and the next tries again. */
static struct swap_lru *get_lru(void)
{
	struct swap_lru *lru = load_acquire(&swap_lru), *none = NULL;

	if (likely(lru))
		return lru;
	lru = make();
	if (!lru)
		return NULL;
	if (!cmpxchg_acq_rel(&swap_lru, &none, lru)) { /* release: pairs with the load */
		discard(lru);
		return none;
	}
	shrinker_register(lru->shrinker);
	return lru;
}

/* They are made for a span that is new: amid an isolation nothing may be allocated. */
static struct swap_lru *lru_for(const struct slab *span)
{
	bool is_new = !(READ_ONCE(span->state) & SPAN_BUSY);

	return is_new ? get_lru() : load_acquire(&swap_lru);
}

/*
 * The owner is the one that it is charged to, or was a moment ago, as in list_lru_add_obj(). One
 * for which there was no memory to make the lists stays in memory.
 */
void swap_lru_add(struct slab *span)
{
	struct swap_lru *lru = lru_for(span);

	if (!lru)
		return;
	span->queued = span_stamp_short(READ_ONCE(span->unpinned));
	rcu_read_lock();
	list_lru_add(&lru->lists, &span->lru, 0, obj_cgroup_memcg(span->objcg));
	rcu_read_unlock();
}

void swap_lru_del(struct slab *span)
{
	struct swap_lru *lru = load_acquire(&swap_lru);

	if (!lru)
		return;
	rcu_read_lock();
	list_lru_del(&lru->lists, &span->lru, 0, obj_cgroup_memcg(span->objcg));
	rcu_read_unlock();
}
