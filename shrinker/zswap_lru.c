/* SPDX-License-Identifier: MIT */
/*
 * Which packed spans of a group go to the file: those that were packed the longest ago. Without
 * this a group would fill up with what is packed, and could pack no more.
 */
#include <errno.h>

#include "accounting/swap.h"
#include "alloc/base/meta.h"
#include "alloc/slab/span.h"
#include "alloc/swap/swap_area.h"
#include "shrinker/list_lru.h"
#include "shrinker/shrinker.h"
#include "shrinker/zswap.h"

/* As dear to bring back as a span that goes out. */
#define SEEKS (2 * DEFAULT_SEEKS)

struct zswap_lru {
	struct shrinker *shrinker;
	struct list_lru lists;
};

static struct zswap_lru *zswap_lru; /* const once it is set */

static struct slab *span_of(struct list_head *item)
{
	return container_of(item, struct slab, lru);
}

/* The item's list is locked. */
static struct mem_cgroup *owner_of(struct list_head *item)
{
	return obj_cgroup_memcg(span_of(item)->objcg);
}

/* ---- The lists ---------------------------------------------------------------- */

/* Its user has it BUSY, so its owner stays. */
void zswap_lru_add(struct slab *span)
{
	rcu_read_lock();
	list_lru_add(&zswap_lru->lists, &span->lru, 0, obj_cgroup_memcg(span->objcg));
	rcu_read_unlock();
}

void zswap_lru_del(struct slab *span)
{
	rcu_read_lock();
	list_lru_del(&zswap_lru->lists, &span->lru, 0, obj_cgroup_memcg(span->objcg));
	rcu_read_unlock();
}

/* ---- The shrinker --------------------------------------------------------------- */

struct search {
	const struct mem_cgroup *memcg;
	struct slab *found;
};

/* See look_at() of swap_lru.c. */
static enum lru_status look_at(struct list_head *item, struct list_lru_one *list, void *arg)
{
	struct slab *span = span_of(item);
	struct search *search = arg;

	(void)list;
	if (owner_of(item) != search->memcg || !span_isolate_begin(span))
		return LRU_SKIP;
	if (!span_tryget(span)) {
		span_end_busy(span);
		return LRU_SKIP;
	}
	search->found = span;
	return LRU_STOP;
}

/* The next to go, BUSY and with a reference, still on its list; or NULL. */
static struct slab *take(struct mem_cgroup *memcg)
{
	unsigned long nr = list_lru_count_one(&zswap_lru->lists, 0, memcg);
	struct search search = {.memcg = memcg};

	list_lru_walk_one(&zswap_lru->lists, 0, memcg, look_at, &search, &nr);
	/* It is out, so nobody had it pinned: no more is to be checked. */
	return search.found;
}

static int write_back(struct slab *span, struct mem_cgroup *memcg)
{
	int64_t pages = (int64_t)span_pages(span);
	int err = zswap_write_back(span);

	if (!err) {
		memcg_count_swap(memcg, MEMCG_ZSWPWB, pages);
		memcg_count_swap(memcg, MEMCG_PSWPOUT, pages);
		return 0;
	}
	if (err != -EAGAIN)
		memcg_swap_failed(memcg);
	zswap_lru_del(span); /* others have their turn */
	zswap_lru_add(span);
	return err;
}

static bool write_back_one(struct mem_cgroup *memcg, bool *found)
{
	struct slab *span;
	int err = -ENOENT;

	span_gate_enter();
	span = take(memcg);
	*found = span;
	if (span) {
		err = write_back(span, memcg);
		span_end_busy(span);
		span_put(slab_span(span));
	}
	span_gate_leave();
	if (!err)
		swap_area_tidy();
	return !err;
}

/*
 * One gives as much less than a span that is in memory as it was packed to: by so much it counts
 * for less, or as much would be written as is packed. Of one group and its list; nearly.
 */
static unsigned long scaled(unsigned long nr, const struct mem_cgroup *memcg)
{
	int64_t packed = READ_ONCE(memcg->zswap_bytes), bytes = READ_ONCE(memcg->zswapped_bytes);

	if (packed <= 0 || bytes < packed)
		return nr;
	return (unsigned long)((double)nr * (double)packed / (double)bytes) + 1;
}

static unsigned long count(struct shrinker *shrinker, struct shrink_control *sc)
{
	unsigned long nr = list_lru_shrink_count(&zswap_lru->lists, sc);

	(void)shrinker;
	if (!nr)
		return SHRINK_EMPTY;
	return swap_area_is_set() ? scaled(nr, sc->memcg) : 0;
}

static unsigned long scan(struct shrinker *shrinker, struct shrink_control *sc)
{
	unsigned long freed = 0;
	bool found = true;

	(void)shrinker;
	for (unsigned long i = 0; i < sc->nr_to_scan && found; i++)
		freed += write_back_one(sc->memcg, &found);
	return freed || found ? freed : SHRINK_STOP;
}

static void discard(struct zswap_lru *lru)
{
	shrinker_free(lru->shrinker);
	list_lru_destroy(&lru->lists);
	meta_free(lru, sizeof(*lru));
}

int zswap_lru_init(void)
{
	struct zswap_lru *lru, *none = NULL;

	if (load_acquire(&zswap_lru)) /* pairs with the swap below */
		return 0;
	lru = meta_alloc(sizeof(*lru));
	if (!lru)
		return -ENOMEM;
	lru->shrinker =
		shrinker_alloc(SHRINKER_MEMCG_AWARE | SHRINKER_MALLOC_SAFE, "compressed spans");
	if (!lru->shrinker || list_lru_init_apart(&lru->lists, lru->shrinker, owner_of)) {
		discard(lru);
		return -ENOMEM;
	}
	lru->shrinker->count_objects = count;
	lru->shrinker->scan_objects = scan;
	lru->shrinker->batch = 1;
	lru->shrinker->seeks = SEEKS;
	if (!cmpxchg_acq_rel(&zswap_lru, &none, lru)) {
		discard(lru);
		return 0;
	}
	shrinker_register(lru->shrinker);
	return 0;
}
