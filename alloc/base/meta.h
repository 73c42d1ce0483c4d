/* SPDX-License-Identifier: MIT */
/*
 * The metadata arena: memory for cgslab's own structures, charged to nobody.
 *
 * Memory comes zeroed and aligned to 16 bytes (to a cache line from 64 bytes
 * on). Freed memory is kept for requests of the same rounded size and never
 * returned or given to another size, so a structure of an own size stays of
 * that type. Never NULL short of the kernel refusing memory.
 */
#ifndef ALLOC_BASE_META_H
#define ALLOC_BASE_META_H

#include "alloc/base/compiler.h"

void *meta_alloc(size_t size);

/* @size is that of meta_alloc(). NULL is allowed. */
void meta_free(void *ptr, size_t size);

/* Bytes taken from the kernel, for statistics. */
size_t meta_committed(void);

/* Bytes handed out and not freed. */
size_t meta_used(void);

/* See os_area_release(). */
void meta_release_reserve(void);

void meta_fork_prepare(void);
void meta_fork_done(void);

#endif
