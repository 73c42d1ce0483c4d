/* SPDX-License-Identifier: MIT */
/*
 * The malloc family. Everything here is a name and its standard's rules; the
 * work is done below.
 */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <unistd.h>

#include "alloc/base/os.h"
#include "alloc/slab/fast.h"
#include "alloc/slab/kmalloc.h"

#define EXPORT __attribute__((visibility("default")))

EXPORT void *malloc(size_t size)
{
	return kmalloc_fast(size, GFP_NOFS);
}

EXPORT void free(void *ptr)
{
	kfree_fast(ptr, "free");
}

EXPORT void *calloc(size_t n, size_t size)
{
	size_t bytes;

	if (unlikely(__builtin_mul_overflow(n, size, &bytes)))
		return slab_alloc_refused();
	return kmalloc_zeroed(bytes, GFP_NOFS);
}

static void *resize(void *ptr, size_t size, const char *caller)
{
	if (!ptr)
		return kmalloc_fast(size, GFP_NOFS);
	if (!size) {
		kfree_fast(ptr, caller);
		return NULL;
	}
	return kmalloc_resize(ptr, size, GFP_NOFS, caller);
}

EXPORT void *realloc(void *ptr, size_t size)
{
	return resize(ptr, size, "realloc");
}

EXPORT void *reallocarray(void *ptr, size_t n, size_t size)
{
	size_t bytes;

	if (unlikely(__builtin_mul_overflow(n, size, &bytes)))
		return slab_alloc_refused();
	return resize(ptr, bytes, "reallocarray");
}

static void *aligned(size_t align, size_t size)
{
	if (unlikely(!is_power_of_two(align))) {
		errno = EINVAL;
		return NULL;
	}
	return kmalloc_aligned(align, size, GFP_NOFS);
}

EXPORT void *aligned_alloc(size_t align, size_t size)
{
	return aligned(align, size);
}

/* By tradition an odd alignment is rounded up. */
EXPORT void *memalign(size_t align, size_t size)
{
	if (align > PTRDIFF_MAX)
		return slab_alloc_refused();
	if (align && !is_power_of_two(align))
		align = 1ul << log2_ceil(align);
	return aligned(max_t(size_t, align, 1), size);
}

EXPORT int posix_memalign(void **memptr, size_t align, size_t size)
{
	int saved_errno = errno;
	void *ptr;

	if (align % sizeof(void *) || !is_power_of_two(align))
		return EINVAL;
	ptr = kmalloc_aligned(align, size, GFP_NOFS);
	errno = saved_errno;
	if (!ptr)
		return ENOMEM;
	*memptr = ptr;
	return 0;
}

EXPORT void *valloc(size_t size)
{
	return aligned(os_page_size(), size);
}

EXPORT void *pvalloc(size_t size)
{
	if (size > PTRDIFF_MAX)
		return slab_alloc_refused();
	return aligned(os_page_size(), round_up_to(size, os_page_size()));
}

EXPORT size_t malloc_usable_size(void *ptr)
{
	return kmalloc_usable_size(ptr, "malloc_usable_size");
}

void cfree(void *ptr);
void free_sized(void *ptr, size_t size);
void free_aligned_sized(void *ptr, size_t align, size_t size);

EXPORT void cfree(void *ptr)
{
	kfree_fast(ptr, "cfree");
}

EXPORT void free_sized(void *ptr, size_t size)
{
	(void)size;
	kfree_fast(ptr, "free_sized");
}

EXPORT void free_aligned_sized(void *ptr, size_t align, size_t size)
{
	(void)align;
	(void)size;
	kfree_fast(ptr, "free_aligned_sized");
}

/* Names by which old programs and glibc's own hooks call us. */
#if __has_attribute(copy)
#define SAME_AS(of) copy(of)
#else
#define SAME_AS(of)
#endif
#define ALIAS(name, of) extern __typeof__(of) name __attribute__((alias(#of), SAME_AS(of))) EXPORT

ALIAS(__libc_malloc, malloc);
ALIAS(__libc_free, free);
ALIAS(__libc_calloc, calloc);
ALIAS(__libc_realloc, realloc);
ALIAS(__libc_memalign, memalign);
ALIAS(__libc_valloc, valloc);
ALIAS(__libc_pvalloc, pvalloc);
ALIAS(__posix_memalign, posix_memalign);
