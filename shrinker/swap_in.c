/* SPDX-License-Identifier: MIT */
/*
 * Swapping in, for who pins a span that is out.
 *
 *   step                       charged to
 *                              swap            memory, swap
 *   memory is charged          x
 *   the content is read                        x
 *   commit                                     x             memory
 *   the entry is freed                                       x
 *
 * Memory is charged as for an allocation: that may take reclaim, which swaps out others. The
 * span is not BUSY then, so it may be brought in by another meanwhile, or get another owner. From
 * the charge on it is. On an error the charge goes back, and the entry is kept.
 */
#include <errno.h>

#include "accounting/charge.h"
#include "accounting/high.h"
#include "accounting/swap.h"
#include "alloc/slab/span.h"
#include "shrinker/zswap.h"

/* Whether the span is BUSY for us, out, and @objcg's still. */
static bool isolate_out(struct slab *span, const struct obj_cgroup *objcg)
{
	if (span_isolate(span))
		return false; /* pinned: somebody has brought it in */
	if (span_is_out(span) && span->objcg == objcg)
		return true;
	span_putback(span);
	return false;
}

static bool try_charge(struct slab *span, struct charge *charge)
{
	bool charged;

	lock(objcg_lock(charge->objcg));
	charged = !ACCOUNTING || charge_try(charge, (int64_t)span_pages(span));
	if (charged) {
		__obj_cgroup_charged_span(charge->objcg, (int64_t)slab_bytes(span));
		span_set(span, SPAN_CHARGED);
	}
	unlock(objcg_lock(charge->objcg));
	return charged;
}

static void uncharge(struct slab *span)
{
	struct obj_cgroup *objcg = span->objcg;

	lock(objcg_lock(objcg));
	span_clear(span, SPAN_CHARGED);
	__obj_cgroup_uncharge_span(objcg, (int64_t)slab_bytes(span));
	unlock(objcg_lock(objcg));
}

/* If it returns 0 the span is BUSY for us, and charged. */
static int charge_and_isolate(struct slab *span, struct obj_cgroup *objcg)
{
	struct charge charge;
	int err;

	charge_begin(&charge, objcg, GFP_NOFS, slab_bytes(span));
	do {
		err = -EAGAIN;
		if (!isolate_out(span, objcg))
			break;
		err = 0;
		if (try_charge(span, &charge))
			break;
		err = -ENOMEM;
		span_putback(span);
	} while (charge_again(&charge));
	charge_end(&charge);
	return err;
}

static int load(struct slab *span)
{
	bool zeroed;
	int err = span_run_get(span, &zeroed);

	if (err)
		return err;
	err = swap_entry_load(span->swap, span->start, slab_bytes(span), zeroed);
	if (err)
		span_run_put(span);
	return err;
}

static void count_read(struct obj_cgroup *objcg, enum memcg_swap_count what, size_t npages)
{
	rcu_read_lock();
	memcg_count_swap(obj_cgroup_memcg(objcg), what, (int64_t)npages);
	rcu_read_unlock();
}

/* From now on it is memory that is charged. The entry is the caller's. */
static struct swap_entry *commit(struct slab *span)
{
	struct obj_cgroup *objcg = span->objcg;
	struct swap_entry *entry = span->swap;

	if (entry->where == SWAP_FILE)
		count_read(objcg, MEMCG_PSWPIN, span_pages(span));
	else if (entry->where == SWAP_PACKED)
		count_read(objcg, MEMCG_ZSWPIN, span_pages(span));
	span_run_map(span);
	lock(objcg_lock(objcg));
	span_clear(span, SPAN_OUT);
	span->swap = NULL;
	__obj_cgroup_uncharge_swap(objcg, (int64_t)slab_bytes(span));
	span_uncharge_packed(span);
	unlock(objcg_lock(objcg));
	return entry;
}

/* Ends the isolation, with a pin if all went well. */
static int bring_in(struct slab *span)
{
	struct swap_entry *entry;
	int err = load(span);

	if (err) {
		uncharge(span);
		span_putback(span);
		return err;
	}
	if (span->packed)
		zswap_lru_del(span);
	entry = commit(span);
	span_pin_busy(span);
	swap_lru_add(span);
	span_putback(span);
	swap_entry_free(entry);
	return 0;
}

int swap_in(struct slab *span)
{
	struct obj_cgroup *objcg = span_get_objcg(span);
	int err = -EAGAIN;

	if (!objcg)
		return err;
	err = charge_and_isolate(span, objcg);
	if (!err)
		err = bring_in(span);
	obj_cgroup_put(objcg);
	memcg_charge_done(GFP_NOFS);
	return err;
}
