/* SPDX-License-Identifier: MIT */
/*
 * Counters of the program's own around malloc and free, as database servers have them: a thread
 * adds up what it allocates and frees for the tenant it works for, and tells the tenant's counter
 * when that is much, or when it leaves. A free is the current tenant's, because nothing tells
 * whose the object was.
 */
#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "bench/ways/way.h"
#include "bench/workloads/workload.h"

#define BATCH (64 << 10)

static struct tenant {
	_Atomic int64_t held;
} __attribute__((aligned(64))) * tenants;

static int64_t max;

/* The calling thread's: */
static __thread struct tenant *current;
static __thread int64_t untold;

unsigned way_tenants_max(void)
{
	return 1u << 20;
}

void way_start(unsigned count, uint64_t limit)
{
	tenants = aligned_alloc(sizeof(*tenants), count * sizeof(*tenants));
	if (!tenants)
		workload_fail("out of memory");
	for (unsigned i = 0; i < count; i++)
		tenants[i].held = 0;
	max = limit > INT64_MAX ? INT64_MAX : (int64_t)limit;
}

void way_create(unsigned tenant)
{
	tenants[tenant].held = 0;
}

void way_destroy(unsigned tenant)
{
	(void)tenant;
}

void way_enter(unsigned tenant)
{
	current = &tenants[tenant];
}

static void tell(void)
{
	atomic_fetch_add_explicit(&current->held, untold, memory_order_relaxed);
	untold = 0;
}

void way_leave(void)
{
	tell();
	current = NULL;
}

bool way_admit(unsigned tenant)
{
	return atomic_load_explicit(&tenants[tenant].held, memory_order_relaxed) < max;
}

static bool too_much(void)
{
	tell();
	return atomic_load_explicit(&current->held, memory_order_relaxed) > max;
}

void *way_alloc(size_t size)
{
	void *object = malloc(size);

	if (!object)
		workload_fail("out of memory");
	untold += (int64_t)malloc_usable_size(object);
	if (untold > BATCH && too_much()) {
		untold -= (int64_t)malloc_usable_size(object);
		free(object);
		return NULL;
	}
	return object;
}

void way_free(void *object, unsigned owner)
{
	(void)owner;
	untold -= (int64_t)malloc_usable_size(object);
	free(object);
	if (untold < -BATCH && current)
		tell();
}

size_t way_size(void *object)
{
	return malloc_usable_size(object);
}

void way_refresh(void)
{
}

uint64_t way_held(unsigned tenant)
{
	int64_t held = atomic_load_explicit(&tenants[tenant].held, memory_order_relaxed);

	return held > 0 ? (uint64_t)held : 0;
}

uint64_t way_charged(unsigned tenant)
{
	return way_held(tenant);
}
