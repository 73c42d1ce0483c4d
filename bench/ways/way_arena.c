/* SPDX-License-Identifier: MIT */
/*
 * A jemalloc arena for each tenant. ARENA_CACHES says whether each thread has a cache of each
 * arena: then most calls take no lock, but what is in caches counts as allocated.
 *
 * Frees name the owner, so that an object goes to a cache of its own arena: in another's, it would
 * be handed out to another tenant.
 *
 * jemalloc refuses nothing. A thread looks at the statistics at intervals, and requests of tenants
 * that are over their limit then are refused until it looks again.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/ways/jemalloc.h"
#include "bench/ways/way.h"
#include "bench/workloads/workload.h"

#define ARENAS_MAX  4095 /* jemalloc's */
#define CACHES_MAX  4094
#define INTERVAL_US 100000

struct tenant {
	unsigned arena;
	atomic_bool over;
};

static struct tenant *tenants;
static unsigned tenant_count;
static uint64_t max;
static atomic_uint caches; /* made */

/* The numbers' names, in which the arena's index is missing. */
static struct mib {
	size_t name[8];
	size_t length;
} small_mib, large_mib;

/* The calling thread's; caches + 1, 0 if there is none. */
static __thread unsigned *thread_caches;
static __thread unsigned current;

static void check(int error)
{
	if (error)
		workload_fail("jemalloc does not know this call");
}

unsigned way_tenants_max(void)
{
	unsigned automatic;
	size_t size = sizeof(automatic);

	if (!mallctl)
		workload_fail("jemalloc is not there");
	check(mallctl("arenas.narenas", &automatic, &size, NULL, 0));
	return ARENAS_MAX - automatic;
}

static void name_to_mib(const char *name, struct mib *mib)
{
	mib->length = sizeof(mib->name) / sizeof(mib->name[0]);
	check(mallctlnametomib(name, mib->name, &mib->length));
}

static uint64_t read_number(const struct mib *mib, unsigned arena)
{
	struct mib of_arena = *mib;
	size_t value, size = sizeof(value);

	of_arena.name[2] = arena;
	check(mallctlbymib(of_arena.name, of_arena.length, &value, &size, NULL, 0));
	return value;
}

static void *watch(void *arg)
{
	(void)arg;
	for (;;) {
		usleep(INTERVAL_US);
		way_refresh();
		for (unsigned i = 0; i < tenant_count; i++)
			if (tenants[i].arena)
				atomic_store_explicit(&tenants[i].over, way_held(i) >= max,
						      memory_order_relaxed);
	}
	return NULL;
}

void way_start(unsigned count, uint64_t limit)
{
	if (count > way_tenants_max())
		workload_fail("jemalloc has not so many arenas");
	name_to_mib("stats.arenas.0.small.allocated", &small_mib);
	name_to_mib("stats.arenas.0.large.allocated", &large_mib);
	tenants = calloc(count, sizeof(*tenants));
	if (!tenants)
		workload_fail("out of memory");
	for (unsigned i = 0; i < count; i++)
		tenants[i].over = false; /* resident from now on */
	tenant_count = count;
	max = limit;
}

static void watch_start(void)
{
	static bool started;
	pthread_t thread;

	if (started || max == WAY_NO_LIMIT)
		return;
	started = true;
	if (pthread_create(&thread, NULL, watch, NULL))
		workload_fail("cannot create a thread");
}

void way_create(unsigned tenant)
{
	size_t size = sizeof(unsigned);

	check(mallctl("arenas.create", &tenants[tenant].arena, &size, NULL, 0));
	if (tenant == tenant_count - 1)
		watch_start();
}

static void flush_cache(unsigned tenant)
{
	unsigned cache;

	if (!thread_caches || !thread_caches[tenant])
		return;
	cache = thread_caches[tenant] - 1;
	thread_caches[tenant] = 0;
	atomic_fetch_sub(&caches, 1);
	check(mallctl("tcache.destroy", NULL, NULL, &cache, sizeof(cache)));
}

void way_destroy(unsigned tenant)
{
	static struct mib mib;
	struct mib of_arena;

	if (!mib.length)
		name_to_mib("arena.0.destroy", &mib);
	flush_cache(tenant);
	of_arena = mib;
	of_arena.name[1] = tenants[tenant].arena;
	check(mallctlbymib(of_arena.name, of_arena.length, NULL, NULL, NULL, 0));
	tenants[tenant].arena = 0;
}

static unsigned create_cache(unsigned tenant)
{
	unsigned cache;
	size_t size = sizeof(cache);

	if (caches >= CACHES_MAX || atomic_fetch_add(&caches, 1) >= CACHES_MAX)
		return 0;
	check(mallctl("tcache.create", &cache, &size, NULL, 0));
	return thread_caches[tenant] = cache + 1;
}

/* The flag for the calling thread's cache of the tenant's arena. */
static int cache_flag(unsigned tenant)
{
	unsigned cache;

	if (!ARENA_CACHES)
		return MALLOCX_TCACHE_NONE;
	if (!thread_caches) {
		thread_caches = calloc(tenant_count, sizeof(*thread_caches));
		if (!thread_caches)
			workload_fail("out of memory");
	}
	cache = thread_caches[tenant];
	if (!cache)
		cache = create_cache(tenant);
	return cache ? MALLOCX_TCACHE(cache - 1) : MALLOCX_TCACHE_NONE;
}

void way_enter(unsigned tenant)
{
	current = tenant;
}

void way_leave(void)
{
}

bool way_admit(unsigned tenant)
{
	return !atomic_load_explicit(&tenants[tenant].over, memory_order_relaxed);
}

void *way_alloc(size_t size)
{
	void *object = mallocx(size, MALLOCX_ARENA(tenants[current].arena) | cache_flag(current));

	if (!object)
		workload_fail("out of memory");
	return object;
}

void way_free(void *object, unsigned owner)
{
	dallocx(object, cache_flag(owner));
}

size_t way_size(void *object)
{
	return sallocx(object, 0);
}

void way_refresh(void)
{
	uint64_t epoch = 1;

	check(mallctl("epoch", NULL, NULL, &epoch, sizeof(epoch)));
}

uint64_t way_held(unsigned tenant)
{
	unsigned arena = tenants[tenant].arena;

	return read_number(&small_mib, arena) + read_number(&large_mib, arena);
}

uint64_t way_charged(unsigned tenant)
{
	return way_held(tenant);
}
