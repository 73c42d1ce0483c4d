/* SPDX-License-Identifier: MIT */
/*
 * A way to know what each of many tenants holds, and to stop one that holds too much. Tenants are
 * numbers from 0. A program is linked with one way:
 *
 *	way_cgslab.c	a memory group for each tenant
 *	way_arena.c	a jemalloc arena for each tenant, and its statistics
 *	way_tracker.c	counters of the program's own, over any malloc
 *
 * Calls are made by any thread, unless said otherwise, and abort the program when they fail for
 * other reasons than a tenant's limit.
 */
#ifndef BENCH_WAY_H
#define BENCH_WAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WAY_NO_LIMIT UINT64_MAX

/* Once, before all: for so many tenants, each of which may hold @limit bytes. */
void way_start(unsigned tenants, uint64_t limit);

/* How many tenants there can be. */
unsigned way_tenants_max(void);

/* A tenant comes, and goes when it holds nothing and nobody is inside. */
void way_create(unsigned tenant);
void way_destroy(unsigned tenant);

/* What the thread allocates from now on is the tenant's, until it leaves. Not nested. */
void way_enter(unsigned tenant);
void way_leave(void);

/* Whether a request of the tenant, which the thread has entered, is to be served. */
bool way_admit(unsigned tenant);

/* Inside. NULL: it would be too much. */
void *way_alloc(size_t size);

/* An object of tenant @owner, by whichever thread, inside any tenant. */
void way_free(void *object, unsigned owner);

/* What the object counts for. */
size_t way_size(void *object);

/* Brings the numbers up to date. */
void way_refresh(void);

/* What the tenant holds, and what of its limit is used up. */
uint64_t way_held(unsigned tenant);
uint64_t way_charged(unsigned tenant);

#endif
