/* SPDX-License-Identifier: MIT */
#include "shrinker/swap.h"

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

/* span_ops.drop_swap */
static void drop_swap(struct swap_entry *entry, unsigned int flags)
{
	if (flags & SPAN_DROP_WIPE && entry->where == SWAP_FILE)
		swap_slot_wipe(&entry->slot);
	swap_entry_free(entry);
}

void swap_init(void)
{
	span_ops.swap_in = swap_in;
	span_ops.lru_add = swap_lru_add;
	span_ops.lru_del = swap_lru_del;
	span_ops.drop_swap = drop_swap;
}
