/* SPDX-License-Identifier: MIT */
#include "shrinker/zswap.h"

#include <errno.h>

#include "alloc/slab/span.h"
#include "alloc/slab/task.h"
#include "alloc/swap/swap_area.h"

int span_swapon(const char *directory, uint64_t max_bytes)
{
	int saved_errno = errno;
	int err;

	if (!directory || !max_bytes)
		return -EINVAL;
	slab_init();
	err = swap_area_set(directory, max_bytes);
	errno = saved_errno;
	return err;
}

int span_swapoff(void)
{
	return swap_area_set(NULL, UINT64_MAX);
}

static void wipe(struct swap_entry *entry)
{
	if (entry->where == SWAP_FILE)
		swap_slot_wipe(&entry->slot);
	else if (entry->where == SWAP_PACKED)
		os_purge(entry->packed, (size_t)zswap_pages(entry) << PAGE_SHIFT);
}

/* span_ops.drop_swap */
static void drop_swap(struct swap_entry *entry, unsigned int flags)
{
	if (flags & SPAN_DROP_WIPE)
		wipe(entry);
	swap_entry_free(entry);
}

/* span_ops.lru_add, lru_del: one that is out is on a list only if it is packed. */
static void lru_add(struct slab *span)
{
	if (span->packed)
		zswap_lru_add(span);
	else if (!span_is_out(span))
		swap_lru_add(span);
}

static void lru_del(struct slab *span)
{
	if (span->packed)
		zswap_lru_del(span);
	else
		swap_lru_del(span);
}

void swap_init(void)
{
	span_ops.swap_in = swap_in;
	span_ops.lru_add = lru_add;
	span_ops.lru_del = lru_del;
	span_ops.drop_swap = drop_swap;
}
