/* SPDX-License-Identifier: MIT */
/*
 * Size classes of kmalloc: multiples of 16 up to 128, then four to each
 * doubling. So a class wastes at most a fifth of itself, and a request that is
 * a multiple of a power of two gets a class that is one too.
 */
#ifndef ALLOC_SLAB_SIZE_CLASS_H
#define ALLOC_SLAB_SIZE_CLASS_H

#include <cgslab/slab.h>

#include "alloc/base/compiler.h"

#define SIZE_CLASSES 44

/* Sizes up to here have their class in a table. */
#define SIZE_CLASS_LOOKUP 1024

extern const uint8_t size_class_table[SIZE_CLASS_LOOKUP / 16 + 1];
extern const uint32_t size_class_bytes[SIZE_CLASSES];

/* @size: 0 to KMALLOC_MAX_CACHE_SIZE. */
static __always_inline_fn unsigned int size_class(size_t size)
{
	unsigned int log2;

	if (likely(size <= SIZE_CLASS_LOOKUP))
		return size_class_table[(size + 15) / 16];
	log2 = log2_floor(size - 1);
	return log2 * 4 - 20 + ((unsigned int)((size - 1) >> (log2 - 2)) & 3);
}

#endif
