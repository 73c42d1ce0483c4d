/* SPDX-License-Identifier: MIT */
/*
 * Checks of a debug build: frees of what is no object, double frees of
 * objects, and the books of a heap. In other builds all of this is nothing.
 */
#ifndef ALLOC_SLAB_DEBUG_H
#define ALLOC_SLAB_DEBUG_H

#include "alloc/slab/heap.h"

#ifdef CGSLAB_DEBUG

/* Before an object is put on a list; dies if it is none, or free already. */
void debug_free(const struct slab *slab, void *object, const char *caller);

/* Before an object is handed out. */
void debug_alloc(void *object, unsigned int offset);

/* Dies if what a slab counts is not what it has. heap->lock, owner. */
void debug_validate_heap(struct heap *heap);

#else

static inline void debug_free(const struct slab *slab, void *object, const char *caller)
{
	(void)slab;
	(void)object;
	(void)caller;
}

static inline void debug_alloc(void *object, unsigned int offset)
{
	(void)object;
	(void)offset;
}

static inline void debug_validate_heap(struct heap *heap)
{
	(void)heap;
}

#endif
#endif
