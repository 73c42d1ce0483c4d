/* SPDX-License-Identifier: MIT */
#include "shrinker/spare.h"

#include <cgslab/shrinker.h>

#include "alloc/pages/page_run.h"
#include "alloc/slab/heap.h"
#include "shrinker/reclaim.h"

/* A call for so many pages. */
#define BATCH_PAGES 1024

/* ---- Parked heaps ------------------------------------------------------------ */

static unsigned long count_heaps(struct shrinker *shrinker, struct shrink_control *sc)
{
	(void)shrinker;
	(void)sc;
	return reclaim_wants_spare_pages() ? heaps_idle() : 0;
}

static unsigned long scan_heaps(struct shrinker *shrinker, struct shrink_control *sc)
{
	(void)shrinker;
	return heaps_give_idle(sc->nr_to_scan);
}

/* ---- Empty slabs, in pages ----------------------------------------------------- */

static unsigned long count_slabs(struct shrinker *shrinker, struct shrink_control *sc)
{
	(void)shrinker;
	(void)sc;
	return reclaim_wants_spare_pages() ? heaps_empty_bytes() >> PAGE_SHIFT : 0;
}

static unsigned long scan_slabs(struct shrinker *shrinker, struct shrink_control *sc)
{
	size_t bytes = heaps_give_empty(sc->nr_to_scan << PAGE_SHIFT);

	(void)shrinker;
	/* The last one may be larger than what was left to give. */
	return min_t(unsigned long, bytes >> PAGE_SHIFT, sc->nr_to_scan);
}

/* ---- Free page runs that are resident ------------------------------------------- */

static unsigned long count_runs(struct shrinker *shrinker, struct shrink_control *sc)
{
	struct page_run_stats stats;

	(void)shrinker;
	(void)sc;
	if (!reclaim_wants_spare_pages())
		return 0;
	page_runs_stats(&stats);
	return stats.dirty;
}

static unsigned long scan_runs(struct shrinker *shrinker, struct shrink_control *sc)
{
	(void)shrinker;
	return page_runs_purge_some(sc->nr_to_scan);
}

/* ---- All three ------------------------------------------------------------------- */

/* Registered in this order: what one gives is the next one's. */
static const struct spare {
	const char *name;
	unsigned long (*count)(struct shrinker *shrinker, struct shrink_control *sc);
	unsigned long (*scan)(struct shrinker *shrinker, struct shrink_control *sc);
	long batch;
} spares[] = {
	{"parked heaps", count_heaps, scan_heaps, 0},
	{"empty slabs", count_slabs, scan_slabs, BATCH_PAGES},
	{"cached spans", count_runs, scan_runs, BATCH_PAGES},
};

static void register_one(const struct spare *spare)
{
	struct shrinker *shrinker = shrinker_alloc(SHRINKER_MALLOC_SAFE, "%s", spare->name);

	if (!shrinker)
		return; /* what it would give comes back by and by */
	shrinker->count_objects = spare->count;
	shrinker->scan_objects = spare->scan;
	shrinker->batch = spare->batch;
	shrinker->seeks = 0; /* costs little to make again */
	shrinker_register(shrinker);
}

void spare_register(void)
{
	static bool done; /* atomic */
	bool no = false;

	if (READ_ONCE(done) || !cmpxchg_relaxed(&done, &no, true))
		return;
	for (size_t i = 0; i < sizeof(spares) / sizeof(spares[0]); i++)
		register_one(&spares[i]);
}
