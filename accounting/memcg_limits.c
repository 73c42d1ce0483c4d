/* SPDX-License-Identifier: MIT */
/* Usage, and what bounds and protects it. */
#include <errno.h>

#include "accounting/mem_cgroup.h"
#include "accounting/memalloc.h"
#include "accounting/obj_stock.h"
#include "accounting/reclaim_ops.h"

static uint64_t pages_to_bytes(int64_t pages)
{
	return pages >= COUNTERS_NO_LIMIT ? MEMCG_MAX : (uint64_t)pages << PAGE_SHIFT;
}

static int64_t bytes_to_pages(uint64_t bytes)
{
	return (int64_t)min_t(uint64_t, bytes >> PAGE_SHIFT, COUNTERS_NO_LIMIT);
}

uint64_t mem_cgroup_usage(const struct mem_cgroup *memcg)
{
	/* A removed group is charged nothing, its counter with what it was last. */
	if (!load_acquire(&memcg->online))
		return 0;
	return pages_to_bytes(READ_ONCE(memcg->memory.level->usage));
}

uint64_t mem_cgroup_peak(const struct mem_cgroup *memcg)
{
	return pages_to_bytes(READ_ONCE(memcg->memory.level->peak));
}

/* ---- Limits ---------------------------------------------------------------- */

uint64_t mem_cgroup_max(const struct mem_cgroup *memcg)
{
	return pages_to_bytes(READ_ONCE(memcg->memory.level->max));
}

uint64_t mem_cgroup_high(const struct mem_cgroup *memcg)
{
	return pages_to_bytes(READ_ONCE(memcg->memory.level->high));
}

/* How many pages are to go. */
static int64_t pages_above(const struct mem_cgroup *memcg, const int64_t *limit)
{
	return READ_ONCE(memcg->memory.level->usage) - READ_ONCE(*limit);
}

/* Reclaims until usage is below @limit, or does not fall any more; @stalled waits for it. */
static void reclaim_to(struct mem_cgroup *memcg, const int64_t *limit, gfp_t gfp,
		       struct mem_cgroup *stalled)
{
	int64_t least = INT64_MAX, above;
	int useless = 0;

	while ((above = pages_above(memcg, limit)) > 0 && useless < RECLAIM_USELESS) {
		useless = above < least ? 0 : useless + 1;
		least = min_t(int64_t, above, least);
		memcg_reclaim(memcg, above, gfp, stalled);
		memcg_drain_stocks(memcg); /* what others have freed meanwhile */
	}
}

static int set_limit(struct mem_cgroup *memcg, int64_t *limit, uint64_t bytes)
{
	gfp_t gfp = memalloc_gfp(GFP_KERNEL);

	if (!memcg->parent)
		return -EINVAL;
	counters_own();
	WRITE_ONCE(*limit, bytes_to_pages(bytes));
	if (pages_above(memcg, limit) <= 0)
		return 0;
	memcg_drain_stocks(memcg);
	if (memcg_may_reclaim(gfp))
		reclaim_to(memcg, limit, gfp, memcg);
	return 0;
}

void memcg_meet_limits(struct mem_cgroup *memcg, gfp_t gfp)
{
	propagate_protected_usage(&memcg->memory);
	memcg_drain_stocks(memcg);
	if (!memcg->parent || !memcg_may_reclaim(gfp)) /* the root's high is the machine's */
		return;
	reclaim_to(memcg, &memcg->memory.level->max, gfp, NULL);
	reclaim_to(memcg, &memcg->memory.level->high, gfp, NULL);
}

int mem_cgroup_set_max(struct mem_cgroup *memcg, uint64_t bytes)
{
	return set_limit(memcg, &memcg->memory.level->max, bytes);
}

int mem_cgroup_set_high(struct mem_cgroup *memcg, uint64_t bytes)
{
	return set_limit(memcg, &memcg->memory.level->high, bytes);
}

/* ---- Swap ------------------------------------------------------------------ */

uint64_t mem_cgroup_swap_usage(const struct mem_cgroup *memcg)
{
	if (!load_acquire(&memcg->online))
		return 0;
	return pages_to_bytes(READ_ONCE(memcg->swap.level->usage));
}

uint64_t mem_cgroup_swap_peak(const struct mem_cgroup *memcg)
{
	return pages_to_bytes(READ_ONCE(memcg->swap.level->peak));
}

uint64_t mem_cgroup_swap_max(const struct mem_cgroup *memcg)
{
	return pages_to_bytes(READ_ONCE(memcg->swap.level->max));
}

uint64_t mem_cgroup_swap_high(const struct mem_cgroup *memcg)
{
	return pages_to_bytes(READ_ONCE(memcg->swap.level->high));
}

uint64_t mem_cgroup_zswap_usage(const struct mem_cgroup *memcg)
{
	if (!load_acquire(&memcg->online))
		return 0;
	return (uint64_t)READ_ONCE(memcg->memory.record->zswap);
}

uint64_t mem_cgroup_zswap_max(const struct mem_cgroup *memcg)
{
	return pages_to_bytes(READ_ONCE(memcg->memory.record->zswap_max));
}

/* What is in swap is not brought back for it. */
static int set_swap_limit(struct mem_cgroup *memcg, int64_t *limit, uint64_t bytes)
{
	if (!memcg->parent)
		return -EINVAL;
	counters_own();
	WRITE_ONCE(*limit, bytes_to_pages(bytes));
	return 0;
}

int mem_cgroup_set_swap_max(struct mem_cgroup *memcg, uint64_t bytes)
{
	return set_swap_limit(memcg, &memcg->swap.level->max, bytes);
}

int mem_cgroup_set_swap_high(struct mem_cgroup *memcg, uint64_t bytes)
{
	return set_swap_limit(memcg, &memcg->swap.level->high, bytes);
}

int mem_cgroup_set_zswap_max(struct mem_cgroup *memcg, uint64_t bytes)
{
	return set_swap_limit(memcg, &memcg->memory.record->zswap_max, bytes);
}

/* ---- Protection ------------------------------------------------------------- */

uint64_t mem_cgroup_min(const struct mem_cgroup *memcg)
{
	return pages_to_bytes(READ_ONCE(memcg->memory.record->min));
}

uint64_t mem_cgroup_low(const struct mem_cgroup *memcg)
{
	return pages_to_bytes(READ_ONCE(memcg->memory.record->low));
}

static int protect(struct mem_cgroup *memcg,
		   void (*set)(struct page_counter *counter, int64_t pages), uint64_t bytes)
{
	int err = 0;

	if (!memcg->parent)
		return -EINVAL;
	counters_own();
	lock(&cgroup_lock); /* a removed group must not count in its parent's sums */
	if (memcg->online)
		set(&memcg->memory, bytes_to_pages(bytes));
	else
		err = -ENODEV;
	unlock(&cgroup_lock);
	return err;
}

int mem_cgroup_set_min(struct mem_cgroup *memcg, uint64_t bytes)
{
	return protect(memcg, page_counter_set_min, bytes);
}

int mem_cgroup_set_low(struct mem_cgroup *memcg, uint64_t bytes)
{
	return protect(memcg, page_counter_set_low, bytes);
}
