/* SPDX-License-Identifier: MIT */
/*
 * The memory of heaps. It is used again for heaps only, and stays readable: who
 * remembers a heap may always look at it. One that no group has reads as closed,
 * be its pages with the kernel or not.
 *
 * The functions want heaps_lock, but for those that say otherwise.
 */
#ifndef ALLOC_SLAB_HEAP_TABLE_H
#define ALLOC_SLAB_HEAP_TABLE_H

#include "alloc/slab/heap.h"

/* One without slabs and lists; NULL without memory. */
struct heap *heap_table_get(void);

/* It has none any more. */
void heap_table_put(struct heap *heap);

/* Gives back the pages where only heaps lie that no group has. */
void heap_table_purge(void);

/* Calls @fn for each heap that a group has, or had a moment ago. Any thread, no lock. */
void heap_table_for_each(void (*fn)(struct heap *heap, void *arg), void *arg);

/* The same, but for heaps that rest. */
void heap_table_for_each_stirring(void (*fn)(struct heap *heap, void *arg), void *arg);

#endif
