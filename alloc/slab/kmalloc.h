/* SPDX-License-Identifier: MIT */
/* What malloc and kmalloc have in common; <cgslab/slab.h> has the contract. */
#ifndef ALLOC_SLAB_KMALLOC_H
#define ALLOC_SLAB_KMALLOC_H

#include <cgslab/slab.h>

struct slab;

/* A block of zeroes; memory that is known to be zero is not touched. */
void *kmalloc_zeroed(size_t size, gfp_t gfp);

/* @align: a power of two. */
void *kmalloc_aligned(size_t align, size_t size, gfp_t gfp);

/* @caller names the function in the message about a bad pointer. */
size_t kmalloc_usable_size(const void *block, const char *caller);

/* The slab of a live block; dies, with the name @caller, if @block is none. */
struct slab *live_slab(const void *block, const char *caller);

/*
 * Another size for a block, which may move; NULL with errno ENOMEM and the
 * block as it was. @block is not NULL.
 */
void *kmalloc_resize(void *block, size_t size, gfp_t gfp, const char *caller);

#endif
