/* SPDX-License-Identifier: MIT */
#include "accounting/swap.h"

#include "alloc/base/os.h"

/* objcg_lock(): the group does not change, and the obj_cgroup keeps it. */
static struct mem_cgroup *memcg_of(struct obj_cgroup *objcg)
{
	return READ_ONCE(objcg->memcg);
}

/* ---- Swap ----------------------------------------------------------------- */

bool __obj_cgroup_try_charge_swap(struct obj_cgroup *objcg, int64_t bytes,
				  struct page_counter **fail)
{
	struct mem_cgroup *memcg = memcg_of(objcg);

	if (!ACCOUNTING)
		return true;
	if (!page_counter_try_charge(&memcg->swap, bytes >> PAGE_SHIFT, fail))
		return false;
	atomic_add(&memcg->swap_bytes, bytes);
	return true;
}

void __obj_cgroup_uncharge_swap(struct obj_cgroup *objcg, int64_t bytes)
{
	struct mem_cgroup *memcg = memcg_of(objcg);

	if (!ACCOUNTING)
		return;
	page_counter_uncharge(&memcg->swap, bytes >> PAGE_SHIFT);
	atomic_sub(&memcg->swap_bytes, bytes);
}

void memcg_swap_refused(struct mem_cgroup *memcg, struct page_counter *fail)
{
	memcg_event(container_of(fail, struct mem_cgroup, swap), MEMCG_EVENT_SWAP_MAX);
	memcg_swap_failed(memcg);
}

void memcg_swap_failed(struct mem_cgroup *memcg)
{
	memcg_event(memcg, MEMCG_EVENT_SWAP_FAIL);
}

void memcg_count_swap(struct mem_cgroup *memcg, enum memcg_swap_count count, int64_t pages)
{
	for (; memcg; memcg = memcg->parent) {
		struct memcg_more *more = memcg_more(memcg);

		if (more)
			atomic_add(&more->swap_counts[count], (uint64_t)pages);
	}
}

/* ---- Compressed swap ------------------------------------------------------- */

/* Those of @memcg and of all above, but for what is above @end. */
static void count_zswap(struct mem_cgroup *memcg, const struct mem_cgroup *end, int64_t compressed)
{
	for (; memcg != end; memcg = memcg->parent)
		atomic_add(&memcg->memory.record->zswap, compressed);
}

static void count_zswapped(struct mem_cgroup *memcg, int64_t bytes)
{
	for (; memcg; memcg = memcg->parent)
		atomic_add(&memcg->memory.record->zswapped, bytes);
}

/* Of several at once none passes the limit. The root has none. */
static bool count_zswap_below_max(const struct mem_cgroup *memcg, int64_t compressed)
{
	struct counters_record *record = memcg->memory.record;
	int64_t bytes = READ_ONCE(record->zswap);

	do {
		int64_t pages = (bytes + compressed + (int64_t)PAGE_SIZE - 1) >> PAGE_SHIFT;

		if (memcg->parent && pages > READ_ONCE(record->zswap_max))
			return false;
	} while (!cmpxchg_relaxed(&record->zswap, &bytes, bytes + compressed));
	return true;
}

static bool try_count_zswap(struct mem_cgroup *memcg, int64_t compressed)
{
	for (struct mem_cgroup *pos = memcg; pos; pos = pos->parent) {
		if (!count_zswap_below_max(pos, compressed)) {
			count_zswap(memcg, pos, -compressed);
			return false;
		}
	}
	return true;
}

static void account_zswap(struct mem_cgroup *memcg, int64_t compressed, int64_t bytes)
{
	counters_own();
	count_zswap(memcg, NULL, compressed);
	count_zswapped(memcg, bytes);
	atomic_add(&memcg->zswap_bytes, compressed);
	atomic_add(&memcg->zswapped_bytes, bytes);
}

bool __obj_cgroup_try_charge_zswap(struct obj_cgroup *objcg, int64_t compressed, int64_t bytes)
{
	struct mem_cgroup *memcg = memcg_of(objcg);

	counters_own();
	if (!try_count_zswap(memcg, compressed))
		return false;
	count_zswapped(memcg, bytes);
	atomic_add(&memcg->zswap_bytes, compressed);
	atomic_add(&memcg->zswapped_bytes, bytes);
	return true;
}

void __obj_cgroup_charged_zswap(struct obj_cgroup *objcg, int64_t compressed, int64_t bytes)
{
	account_zswap(memcg_of(objcg), compressed, bytes);
}

void __obj_cgroup_uncharge_zswap(struct obj_cgroup *objcg, int64_t compressed, int64_t bytes)
{
	account_zswap(memcg_of(objcg), -compressed, -bytes);
}

/* ---- Groups ----------------------------------------------------------------- */

/*
 * Who changed its numbers had objcg_lock() of an obj_cgroup that was its own; of those
 * there are none any more.
 */
void memcg_reparent_swap(struct mem_cgroup *memcg)
{
	struct mem_cgroup *parent = memcg->parent;

	atomic_add(&parent->swap_bytes, atomic_xchg(&memcg->swap_bytes, 0));
	atomic_add(&parent->zswap_bytes, atomic_xchg(&memcg->zswap_bytes, 0));
	atomic_add(&parent->zswapped_bytes, atomic_xchg(&memcg->zswapped_bytes, 0));
}

void memcg_recount_swap(struct mem_cgroup *memcg)
{
	int64_t pages = memcg->swap_bytes >> PAGE_SHIFT;

	for (struct mem_cgroup *pos = memcg; pos; pos = pos->parent) {
		struct counters_record *record = pos->memory.record;

		record->swap.usage += pages;
		record->zswap += memcg->zswap_bytes;
		record->zswapped += memcg->zswapped_bytes;
	}
}

static void sum_counted(struct obj_cgroup *objcg, void *arg)
{
	int64_t *bytes = arg;

	*bytes += objcg->counted_swap;
}

void memcg_settle_swap(struct mem_cgroup *memcg)
{
	int64_t bytes = 0;

	memcg_for_each_objcg(memcg, sum_counted, &bytes);
	page_counter_uncharge(&memcg->swap, (memcg->swap_bytes - bytes) >> PAGE_SHIFT);
	memcg->swap_bytes = bytes;
	account_zswap(memcg, memcg->counted_zswap - memcg->zswap_bytes, 0);
}
