/* SPDX-License-Identifier: MIT */
/*
 * Swapping out. The span is BUSY all the time, so nobody pins it, gives it another owner, or
 * frees it.
 *
 *   step                       charged to
 *                              memory          memory, swap
 *   swap is charged            x
 *   the content is stored                      x
 *   commit                                     x             swap
 *   the run is freed                                         x
 *
 * What is charged, and what the span says of it, changes together under objcg_lock(): so who counts
 * finds both or neither. Until the commit all is undone if something fails, or if somebody
 * waits to pin the span.
 */
#include "accounting/swap.h"

#include <errno.h>

#include "alloc/slab/span.h"
#include "shrinker/zswap.h"

static bool charge_swap(struct slab *span, struct swap_entry *entry, struct page_counter **fail)
{
	struct obj_cgroup *objcg = span->objcg;
	bool charged;

	lock(objcg_lock(objcg));
	charged = __obj_cgroup_try_charge_swap(objcg, (int64_t)slab_bytes(span), fail);
	if (charged)
		span->swap = entry;
	unlock(objcg_lock(objcg));
	return charged;
}

static void uncharge_swap(struct slab *span, const struct swap_entry *entry)
{
	int64_t packed = (int64_t)zswap_pages(entry) << PAGE_SHIFT;
	struct obj_cgroup *objcg = span->objcg;

	lock(objcg_lock(objcg));
	span->swap = NULL;
	__obj_cgroup_uncharge_swap(objcg, (int64_t)slab_bytes(span));
	if (packed)
		__obj_cgroup_uncharge_zswap(objcg, packed, (int64_t)slab_bytes(span));
	unlock(objcg_lock(objcg));
}

/* Whoever waits to pin it has it back sooner if it does not go at all. */
static int store(struct slab *span, struct swap_entry *entry)
{
	int err = span_is_wanted(span) ? -EAGAIN : swap_entry_store(entry, span);

	return err || !span_is_wanted(span) ? err : -EAGAIN;
}

/* From now on it is the entry that is charged, and of memory what is packed. */
static void commit(struct slab *span, const struct swap_entry *entry)
{
	int64_t bytes = (int64_t)slab_bytes(span);
	struct obj_cgroup *objcg = span->objcg;

	lock(objcg_lock(objcg));
	span_set(span, SPAN_OUT);
	span_clear(span, SPAN_CHARGED);
	WRITE_ONCE(span->packed, zswap_pages(entry));
	__obj_cgroup_uncharge_span(objcg, bytes - span_memory_bytes(span));
	unlock(objcg_lock(objcg));
}

static int try_swap_out(struct slab *span, struct swap_entry *entry, struct mem_cgroup *memcg)
{
	struct page_counter *fail;
	int err;

	if (!entry) {
		memcg_swap_failed(memcg);
		return -ENOMEM;
	}
	if (!charge_swap(span, entry, &fail)) {
		memcg_swap_refused(memcg, fail);
		return -ENOSPC;
	}
	err = store(span, entry);
	if (err) {
		uncharge_swap(span, entry);
		if (err != -EAGAIN)
			memcg_swap_failed(memcg);
		return err;
	}
	commit(span, entry);
	if (entry->where == SWAP_FILE)
		memcg_count_swap(memcg, MEMCG_PSWPOUT, (int64_t)span_pages(span));
	else if (entry->where == SWAP_PACKED)
		memcg_count_swap(memcg, MEMCG_ZSWPOUT, (int64_t)span_pages(span));
	span_run_put(span);
	if (span->packed)
		zswap_lru_add(span);
	return 0;
}

int swap_out(struct slab *span)
{
	struct swap_entry *entry = swap_entry_alloc();
	struct mem_cgroup *memcg = get_mem_cgroup_from_objcg(span->objcg);
	int err = try_swap_out(span, entry, memcg);

	if (err && entry)
		swap_entry_free(entry);
	mem_cgroup_put(memcg);
	return err;
}
