/* SPDX-License-Identifier: MIT */
#include "shrinker/zswap.h"

#include <errno.h>
#include <string.h>

#include "accounting/swap.h"
#include "alloc/pages/page_run.h"
#include "alloc/slab/span.h"
#include "shrinker/lz4.h"

static bool enabled; /* atomic */

int zswap_switch(bool on)
{
	int err = 0;

	if (on) {
		err = lz4_load();
		if (!err)
			err = zswap_lru_init();
	}
	if (!err)
		store_release(&enabled, on); /* pairs with zswap_store() */
	return err;
}

/* ---- Pages -------------------------------------------------------------------- */

static size_t pages_for(size_t bytes)
{
	return round_up_to(bytes, os_page_size()) >> PAGE_SHIFT;
}

uint32_t zswap_pages(const struct swap_entry *entry)
{
	return entry->where == SWAP_PACKED ? (uint32_t)pages_for(entry->length) : 0;
}

void zswap_free(struct swap_entry *entry)
{
	page_run_free(entry->packed, pages_for(entry->length));
	entry->packed = NULL;
}

/* ---- Out ---------------------------------------------------------------------- */

static bool is_wanted(const void *span)
{
	return span_is_wanted(span);
}

/*
 * Into a run as long as is allowed, with what LZ4 works with behind it; the rest is given back, and
 * what was never written to took no memory. Less than a quarter saved is not worth it.
 */
static int pack(struct swap_entry *entry, const struct slab *span)
{
	size_t bytes = slab_bytes(span), room = bytes / 4 * 3 & ~(os_page_size() - 1);
	size_t npages = pages_for(room + lz4_work_bytes()), length;
	bool zeroed;
	char *run;

	if (!room)
		return -E2BIG;
	run = page_run_alloc(npages, 0, &zeroed);
	if (!run)
		return -ENOMEM;
	length = lz4_pack(span->start, bytes, run, room, run + room, is_wanted, span);
	page_run_free(run + (pages_for(length) << PAGE_SHIFT), npages - pages_for(length));
	if (!length)
		return -E2BIG;
	entry->packed = run;
	entry->length = length;
	entry->where = SWAP_PACKED;
	return 0;
}

static bool charge(const struct swap_entry *entry, const struct slab *span)
{
	struct obj_cgroup *objcg = span->objcg;
	int64_t bytes = (int64_t)zswap_pages(entry) << PAGE_SHIFT;
	bool charged;

	lock(objcg_lock(objcg));
	charged = __obj_cgroup_try_charge_zswap(objcg, bytes, (int64_t)slab_bytes(span));
	unlock(objcg_lock(objcg));
	return charged;
}

int zswap_store(struct swap_entry *entry, const struct slab *span)
{
	int err = load_acquire(&enabled) ? pack(entry, span) : -ENOSYS;

	if (err || charge(entry, span))
		return err;
	zswap_free(entry);
	entry->length = 0;
	entry->where = SWAP_NOWHERE;
	return -ENOSPC;
}

int zswap_write_back(struct slab *span)
{
	struct swap_entry *entry = span->swap;
	struct obj_cgroup *objcg = span->objcg;
	int err = -EAGAIN;

	if (!span_is_wanted(span))
		err = swap_slot_write(&entry->slot, entry->packed, entry->length);
	if (err)
		return err;
	zswap_lru_del(span);
	lock(objcg_lock(objcg));
	span_uncharge_packed(span);
	unlock(objcg_lock(objcg));
	zswap_free(entry);
	entry->where = SWAP_FILE;
	return 0;
}

/* ---- In ----------------------------------------------------------------------- */

static int load_from_file(const struct swap_entry *entry, void *data, size_t bytes)
{
	size_t npages = pages_for(entry->length);
	bool zeroed;
	char *run = page_run_alloc(npages, 0, &zeroed);
	int err;

	if (!run)
		return -ENOMEM;
	err = swap_slot_read(&entry->slot, run, entry->length);
	if (!err)
		err = lz4_unpack(run, entry->length, data, bytes);
	page_run_free(run, npages);
	return err;
}

int zswap_load(const struct swap_entry *entry, void *data, size_t bytes)
{
	if (entry->where == SWAP_FILE)
		return load_from_file(entry, data, bytes);
	return lz4_unpack(entry->packed, entry->length, data, bytes);
}
