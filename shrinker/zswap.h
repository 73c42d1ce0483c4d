/* SPDX-License-Identifier: MIT */
/*
 * Compression in front of the swap file.
 *
 * What is packed is kept in pages of the entry, and charged to memory as part of its
 * span (->packed), so that it goes where the span goes. When its group is short again the one
 * that was packed the longest ago is written to the file, packed as it is.
 *
 *	in memory -----> packed in memory -----> packed in the file
 *	    |   ^               |                       |
 *	    |   +---------------+-----------------------+
 *	    +---------> in the file, as it is: what does not pack, or zswap.max does not allow
 */
#ifndef SHRINKER_ZSWAP_H
#define SHRINKER_ZSWAP_H

#include "shrinker/swap.h"

/*
 * Whether spans that go out are packed. Returns 0, -ENOSYS: there is no liblz4, or -ENOMEM.
 * What is packed stays so. Not within an allocation.
 */
int zswap_switch(bool on);

/* ---- zswap.c: for spans that are BUSY ------------------------------------------ */

/* Packs the span, and counts that with its group. 0, or an error: it should be written. */
int zswap_store(struct swap_entry *entry, const struct slab *span);

/* From memory or from the file. 0 or -errno. */
int zswap_load(const struct swap_entry *entry, void *data, size_t bytes);

/* Pages that are charged for it; 0: it is not packed in memory. */
uint32_t zswap_pages(const struct swap_entry *entry);

/* The pages of what is packed in memory. */
void zswap_free(struct swap_entry *entry);

/* Writes it to the file: memory has nothing of it then. 0 or an error, with no change. */
int zswap_write_back(struct slab *span);

/* ---- zswap_lru.c: spans with ->packed ------------------------------------------- */

/* 0 or -ENOMEM. Before the first is added. */
int zswap_lru_init(void);

void zswap_lru_add(struct slab *span);
void zswap_lru_del(struct slab *span);

#endif
