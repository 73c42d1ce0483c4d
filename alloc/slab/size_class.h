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

extern const uint32_t size_class_bytes[SIZE_CLASSES];

/* @size: 0 to KMALLOC_MAX_CACHE_SIZE. */
static __always_inline_fn unsigned int size_class(size_t size)
{
	unsigned int log2;

	if (size <= 128)
		return (unsigned int)(size + !size - 1) / 16;
	log2 = log2_floor(size - 1);
	return log2 * 4 - 20 + ((unsigned int)((size - 1) >> (log2 - 2)) & 3);
}

#endif
