/* SPDX-License-Identifier: MIT */
#ifndef ALLOC_BASE_COMPILER_H
#define ALLOC_BASE_COMPILER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define likely(x)	   __builtin_expect(!!(x), 1)
#define unlikely(x)	   __builtin_expect(!!(x), 0)

#define __always_inline_fn inline __attribute__((always_inline))
#define noinline	   __attribute__((noinline))
#define __cold_fn	   __attribute__((cold, noinline))
/*
 * Looks at what others change meanwhile, and says why it may: kept from
 * ThreadSanitizer, so that the writers need not mark plain accesses of theirs.
 */
#define __racy_fn			__attribute__((no_sanitize_thread))

/* A variable that only the library sees: its address need not be looked up. */
#define __library_var			__attribute__((visibility("hidden")))

#define CACHELINE			64

#define ARRAY_SIZE(a)			(sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#define min_t(type, a, b)		((type)(a) < (type)(b) ? (type)(a) : (type)(b))
#define max_t(type, a, b)		((type)(a) > (type)(b) ? (type)(a) : (type)(b))

/* @a must be a power of two. */
static inline size_t round_up_to(size_t n, size_t a)
{
	return (n + a - 1) & ~(a - 1);
}

static inline bool is_power_of_two(size_t n)
{
	return n && !(n & (n - 1));
}

/* Index of the highest set bit; @n must not be 0. */
static inline unsigned int log2_floor(size_t n)
{
	return 63 - (unsigned int)__builtin_clzl(n);
}

static inline unsigned int log2_ceil(size_t n)
{
	return n <= 1 ? 0 : log2_floor(n - 1) + 1;
}

#endif
