/* SPDX-License-Identifier: MIT */
/*
 * The part of jemalloc's interface that is needed here. Debian has the library without its header;
 * a program gets the functions by LD_PRELOAD, and finds NULL without.
 */
#ifndef BENCH_JEMALLOC_H
#define BENCH_JEMALLOC_H

#include <stddef.h>

#define MALLOCX_TCACHE(tc)  ((int)(((unsigned)(tc) + 2) << 8))
#define MALLOCX_TCACHE_NONE MALLOCX_TCACHE(-1)
#define MALLOCX_ARENA(a)    ((int)(((unsigned)(a) + 1) << 20))

#define WEAK		    __attribute__((weak))

void *mallocx(size_t size, int flags) WEAK;
void dallocx(void *ptr, int flags) WEAK;
size_t sallocx(const void *ptr, int flags) WEAK;
int mallctl(const char *name, void *old, size_t *old_size, void *new, size_t new_size) WEAK;
int mallctlnametomib(const char *name, size_t *mib, size_t *length) WEAK;
int mallctlbymib(const size_t *mib, size_t length, void *old, size_t *old_size, void *new,
		 size_t new_size) WEAK;

#endif
