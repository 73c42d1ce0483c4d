/* SPDX-License-Identifier: MIT */
/*
 * Spans that leave memory and come back; docs/spans.md has the picture.
 *
 *   swap.c         whether they may
 *   swap_lru.c     which spans of a group go: a list_lru and a shrinker
 *   swap_out.c     one goes
 *   swap_in.c      one comes back, for who pins it
 *   swap_entry.c   where its content is meanwhile
 *   zswap.c        compressed, in memory; and how that goes to the file
 */
#ifndef SHRINKER_SWAP_H
#define SHRINKER_SWAP_H

#include "alloc/slab/slab.h"
#include "alloc/swap/swap_file.h"

enum swap_where {
	SWAP_NOWHERE, /* nothing is stored yet */
	SWAP_FILLED,  /* nor need it be: it is one word all over */
	SWAP_FILE,
	SWAP_PACKED, /* compressed, in memory */
};

/*
 * What a span has while its content is out, or on the way. It belongs to who has the span
 * isolated, or its last reference; ->swap of the span, which points here, changes under
 * objcg_lock() besides.
 */
struct swap_entry {
	enum swap_where where;
	uint64_t word;	       /* SWAP_FILLED */
	struct swap_slot slot; /* SWAP_FILE */
	void *packed;	       /* SWAP_PACKED: pages for ->length bytes */
	size_t length;	       /* what is stored is compressed to that; 0: it is not */
};

/* ---- swap_entry.c: nothing is charged here ------------------------------------ */

/* NULL without memory. */
struct swap_entry *swap_entry_alloc(void);

/* With its content. */
void swap_entry_free(struct swap_entry *entry);

/* Stores what the span holds. 0, or an error with nothing left behind. */
int swap_entry_store(struct swap_entry *entry, const struct slab *span);

/*
 * The way back; @zeroed: @data reads as zero. 0 or an error. The entry keeps its content.
 */
int swap_entry_load(const struct swap_entry *entry, void *data, size_t bytes, bool zeroed);

/* ---- swap_out.c --------------------------------------------------------------- */

/*
 * @span is BUSY, on no list, in memory, and the caller has a reference. Returns 0 when
 * it is out; else it is as it was. It is BUSY still.
 */
int swap_out(struct slab *span);

/* ---- swap_in.c: span_ops.swap_in ---------------------------------------------- */

int swap_in(struct slab *span);

/* ---- swap_lru.c: span_ops.lru_add, lru_del ------------------------------------ */

/* Makes it the youngest; who calls has it BUSY, or pinned, or it is new. */
void swap_lru_add(struct slab *span);
void swap_lru_del(struct slab *span);

/* Sets span_ops; once, by a constructor. */
void swap_init(void);

#endif
