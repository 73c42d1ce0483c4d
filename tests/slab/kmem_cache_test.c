/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <urcu-bp.h>

#include <cgslab/memcg.h>
#include <cgslab/slab.h>

#include "alloc/slab/slab.h"

#define OBJECTS 2000

static void *objects[OBJECTS];

static struct kmem_cache *make(unsigned int size, unsigned int align, slab_flags_t flags,
			       void (*ctor)(void *))
{
	struct kmem_cache *cache = kmem_cache_create("test", size, align, flags, ctor);

	cr_assert_not_null(cache, "%u bytes at %u: errno %d", size, align, errno);
	return cache;
}

static void expect_refused(const char *name, unsigned int size, unsigned int align,
			   slab_flags_t flags)
{
	errno = 0;
	cr_expect_null(kmem_cache_create(name, size, align, flags, NULL));
	cr_expect_eq(errno, EINVAL);
}

static struct mem_cgroup_stat stat_now(void)
{
	struct mem_cgroup_stat stat = {.size = sizeof(stat)};

	cr_assert_eq(mem_cgroup_stat(mem_cgroup_current(), &stat), 0);
	cr_assert_eq(mem_cgroup_verify(mem_cgroup_root(), NULL), 0);
	return stat;
}

static void enter(void)
{
	set_active_memcg(mem_cgroup_create(NULL, "caches"));
}

static void fill(struct kmem_cache *cache)
{
	for (int i = 0; i < OBJECTS; i++)
		cr_assert_not_null(objects[i] = kmem_cache_alloc(cache, GFP_KERNEL));
}

static void empty(struct kmem_cache *cache)
{
	for (int i = 0; i < OBJECTS; i++)
		kmem_cache_free(cache, objects[i]);
}

Test(kmem_cache, bad_arguments)
{
	expect_refused(NULL, 10, 0, 0);
	expect_refused("", 10, 0, 0);
	expect_refused("a", 0, 0, 0);
	expect_refused("a", KMALLOC_MAX_CACHE_SIZE + 1, 0, 0);
	expect_refused("a", 10, 3, 0);
	expect_refused("a", 10, 8192, 0);
	expect_refused("a", 10, 0, 0x80000000u);
	cr_expect_eq(kmem_cache_destroy(NULL), 0);
}

Test(kmem_cache, panics_if_told_to, .signal = SIGABRT)
{
	kmem_cache_create("a", 0, 0, SLAB_PANIC, NULL);
}

Test(kmem_cache, says_what_it_is)
{
	struct kmem_cache *cache = make(33, 0, 0, NULL);

	cr_expect_eq(kmem_cache_size(cache), 33);
	cr_expect_str_eq(kmem_cache_name(cache), "test");
	cr_expect_eq(kmem_cache_destroy(cache), 0);
}

Test(kmem_cache, any_size_and_alignment, .init = enter)
{
	static const unsigned int sizes[] = {1, 7, 8, 16, 24, 100, 1000, 4096, 5000, 65536};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (unsigned int align = 0; align <= 4096; align = align ? align * 4 : 4) {
			struct kmem_cache *cache = make(sizes[i], align, 0, NULL);
			uintptr_t want = align > 16 ? align : 16;

			if (sizes[i] < 16 && align < 16)
				want = align > 8 ? align : 8;
			for (int j = 0; j < 40; j++) {
				objects[j] = kmem_cache_alloc(cache, GFP_KERNEL);
				cr_assert_eq((uintptr_t)objects[j] % want, 0, "%u at %u", sizes[i],
					     align);
				memset(objects[j], j, sizes[i]);
			}
			cr_expect_eq(stat_now().object_bytes, 40 * cache->size);
			cr_expect_eq(stat_now().objects, 40);
			for (int j = 0; j < 40; j++) {
				unsigned char *object = objects[j];

				cr_assert_eq(object[0], j);
				cr_assert_eq(object[sizes[i] - 1], j);
				kmem_cache_free(cache, object);
			}
			cr_expect_eq(stat_now().objects, 0);
			cr_expect_eq(kmem_cache_destroy(cache), 0);
		}
	}
}

Test(kmem_cache, hwcache_align)
{
	struct kmem_cache *cache = make(10, 0, SLAB_HWCACHE_ALIGN, NULL);

	for (int i = 0; i < 100; i++)
		cr_assert_eq((uintptr_t)kmem_cache_alloc(cache, GFP_KERNEL) % 64, 0);
}

Test(kmem_cache, zalloc)
{
	struct kmem_cache *cache = make(500, 0, 0, NULL);
	static const char zeroes[500];

	for (int i = 0; i < 100; i++) {
		void *object = kmem_cache_zalloc(cache, GFP_KERNEL);

		cr_assert_eq(memcmp(object, zeroes, 500), 0);
		memset(object, 0xff, 500);
		kmem_cache_free(cache, object);
		object = kmem_cache_alloc(cache, GFP_KERNEL | __GFP_ZERO);
		cr_assert_eq(memcmp(object, zeroes, 500), 0);
		memset(object, 0xff, 500);
		kmem_cache_free(cache, object);
	}
}

/* ---- Constructors ---------------------------------------------------------- */

struct built {
	uint64_t magic, uses;
	char rest[50];
};

static unsigned long constructed;

static void build(void *object)
{
	struct built *built = object;

	built->magic = 0x600d;
	built->uses = 0;
	constructed++;
}

/* Once for each object, however often it is handed out. */
Test(kmem_cache, constructors, .init = enter)
{
	struct kmem_cache *cache = make(sizeof(struct built), 0, 0, build);
	unsigned long uses = 0, distinct;

	for (int round = 0; round < 5; round++) {
		fill(cache);
		for (int i = 0; i < OBJECTS; i++) {
			struct built *built = objects[i];

			cr_assert_eq(built->magic, 0x600d);
			uses += built->uses++ == 0;
		}
		/* Freed here, and from elsewhere. */
		if (round % 2)
			set_active_memcg(NULL);
		empty(cache);
		enter();
		set_active_memcg(mem_cgroup_lookup(NULL, "caches"));
	}
	distinct = uses;
	cr_expect_geq(constructed, distinct);
	cr_expect_lt(constructed, distinct + OBJECTS);
	cr_expect_eq(kmem_cache_destroy(cache), 0);
}

/* ---- Bulk ------------------------------------------------------------------- */

Test(kmem_cache, bulk_is_all_or_nothing, .init = enter)
{
	struct kmem_cache *cache = make(1000, 0, 0, NULL);
	struct mem_cgroup *memcg = mem_cgroup_current();

	cr_expect_eq(kmem_cache_alloc_bulk(cache, GFP_KERNEL, OBJECTS, objects), OBJECTS);
	cr_expect_eq(stat_now().objects, OBJECTS);
	kmem_cache_free_bulk(cache, OBJECTS, objects);
	cr_expect_eq(stat_now().objects, 0);
	cr_assert_eq(mem_cgroup_set_max(memcg, 1 << 20), 0);
	errno = 0;
	cr_expect_eq(kmem_cache_alloc_bulk(cache, GFP_KERNEL, OBJECTS, objects), 0);
	cr_expect_eq(errno, ENOMEM);
	cr_expect_eq(stat_now().objects, 0);
	cr_expect_eq(kmem_cache_alloc_bulk(cache, GFP_KERNEL, 900, objects), 900);
	cr_expect_eq(kmem_cache_alloc_bulk(cache, GFP_KERNEL, 0, objects), 0);
	objects[900] = kmalloc(10, GFP_KERNEL);
	objects[901] = kmalloc(10000, GFP_KERNEL);
	kmem_cache_free_bulk(NULL, 902, objects);
	cr_expect_eq(stat_now().objects, 0);
	cr_expect_eq(kmem_cache_destroy(cache), 0);
}

/* ---- Shrinking and destroying ------------------------------------------------ */

Test(kmem_cache, shrink_gives_empty_slabs_back, .init = enter)
{
	struct kmem_cache *cache = make(1000, 0, 0, NULL);
	void *one;

	fill(cache);
	one = kmem_cache_alloc(cache, GFP_KERNEL);
	cr_expect_geq(stat_now().slab_bytes, OBJECTS * 1000);
	empty(cache);
	cr_expect_eq(kmem_cache_shrink(cache), 0);
	cr_expect_leq(stat_now().slab_bytes, 64 << 10, "one slab, for the one object");
	kmem_cache_free(cache, one);
	cr_expect_eq(kmem_cache_shrink(cache), 0);
	cr_expect_eq(stat_now().slab_bytes, 0);
	cr_expect_eq(kmem_cache_destroy(cache), 0);
}

/* What waits on the freelist of a cache pins its slabs, until others refill. */
Test(kmem_cache, freelists_that_nobody_uses_shrink, .init = enter)
{
	const int stride = 60; /* a slab has a few more */
	struct kmem_cache *cache = make(1000, 0, 0, NULL);
	static void *others[OBJECTS];

	fill(cache);
	for (int i = 0; i < OBJECTS; i += stride)
		kmem_cache_free(cache, objects[i]);
	for (int i = 0; i < OBJECTS; i++)
		if (i % stride)
			kmem_cache_free(cache, objects[i]);
	cr_expect_geq(stat_now().slab_bytes, 3 << 19, "one of each slab waits");
	for (int i = 0; i < OBJECTS; i++)
		others[i] = kmalloc(2048, GFP_KERNEL);
	cr_expect_leq(stat_now().slab_bytes, OBJECTS * 2048 + (1 << 20), "%lu bytes",
		      (unsigned long)stat_now().slab_bytes);
	for (int i = 0; i < OBJECTS; i++)
		kfree(others[i]);
	cr_expect_eq(kmem_cache_destroy(cache), 0);
}

static void *fill_elsewhere(void *arg)
{
	enter();
	set_active_memcg(mem_cgroup_lookup(NULL, "caches"));
	fill(arg);
	empty(arg);
	return NULL;
}

Test(kmem_cache, destroyed_with_slabs_in_parked_heaps)
{
	struct kmem_cache *cache = make(1000, 0, 0, NULL);
	struct mem_cgroup_stat stat = {.size = sizeof(stat)};
	pthread_t thread;

	cr_assert_eq(pthread_create(&thread, NULL, fill_elsewhere, cache), 0);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	cr_expect_eq(kmem_cache_destroy(cache), 0);
	cr_expect_eq(mem_cgroup_stat(mem_cgroup_lookup(NULL, "caches"), &stat), 0);
	cr_expect_eq(stat.slab_bytes, 0);
}

static pthread_barrier_t steps;

/* Stays inside, and asleep, with empty slabs and a freelist. */
static void *fill_and_wait(void *arg)
{
	fill_elsewhere(arg);
	pthread_barrier_wait(&steps);
	pthread_barrier_wait(&steps);
	kfree(kmalloc(5000, GFP_KERNEL)); /* its heap is in order */
	return NULL;
}

static uint64_t bytes_while_another_waits(struct kmem_cache *cache,
					  int (*fn)(struct kmem_cache *cache))
{
	struct mem_cgroup_stat stat = {.size = sizeof(stat)};
	pthread_t thread;
	uint64_t bytes;

	pthread_barrier_init(&steps, NULL, 2);
	cr_assert_eq(pthread_create(&thread, NULL, fill_and_wait, cache), 0);
	pthread_barrier_wait(&steps);
	cr_expect_eq(mem_cgroup_stat(mem_cgroup_root(), &stat), 0);
	cr_assert_geq(stat.slab_bytes, 200000, "the other thread keeps something");
	cr_expect_eq(fn(cache), 0);
	stat = (struct mem_cgroup_stat){.size = sizeof(stat)};
	cr_expect_eq(mem_cgroup_stat(mem_cgroup_root(), &stat), 0);
	bytes = stat.slab_bytes;
	cr_expect_eq(mem_cgroup_verify(mem_cgroup_root(), NULL), 0);
	pthread_barrier_wait(&steps);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	cr_expect_eq(mem_cgroup_verify(mem_cgroup_root(), NULL), 0);
	return bytes;
}

/* Nothing waits for the owner of a heap to wake up. */
Test(kmem_cache, destroyed_with_slabs_in_running_heaps)
{
	struct kmem_cache *cache = make(1000, 0, 0, NULL);
	uint32_t id = cache->id;

	cr_expect_eq(bytes_while_another_waits(cache, kmem_cache_destroy), 0);
	cache = make(500, 0, 0, NULL);
	cr_expect_eq(cache->id, id, "the cache itself is gone too");
	cr_expect_eq(kmem_cache_destroy(cache), 0);
}

Test(kmem_cache, typesafe_destroyed_with_slabs_in_running_heaps)
{
	struct kmem_cache *cache = make(1000, 0, SLAB_TYPESAFE_BY_RCU, NULL);

	cr_expect_eq(bytes_while_another_waits(cache, kmem_cache_destroy), 0);
}

static void *read_for_a_while(void *arg)
{
	rcu_read_lock();
	pthread_barrier_wait(&steps);
	usleep(50000);
	rcu_read_unlock();
	return arg;
}

/* Slabs of a removed group, emptied, for which a grace period has not passed. */
Test(kmem_cache, typesafe_destroyed_with_slabs_on_their_way)
{
	struct kmem_cache *cache = make(1000, 0, SLAB_TYPESAFE_BY_RCU, NULL);
	struct mem_cgroup *memcg = mem_cgroup_create(NULL, "short");
	uint32_t id = cache->id;
	pthread_t thread;

	set_active_memcg(memcg);
	fill(cache);
	set_active_memcg(NULL);
	cr_assert_eq(mem_cgroup_rmdir(memcg), 0);
	mem_cgroup_put(memcg);
	pthread_barrier_init(&steps, NULL, 2);
	cr_assert_eq(pthread_create(&thread, NULL, read_for_a_while, NULL), 0);
	pthread_barrier_wait(&steps);
	empty(cache);
	cr_expect_eq(kmem_cache_destroy(cache), 0);
	cr_expect_eq(stat_now().slab_bytes, 0);
	cache = make(500, 0, 0, NULL);
	cr_expect_eq(cache->id, id, "the cache is gone, with its slabs");
	cr_assert_eq(pthread_join(thread, NULL), 0);
	cr_expect_eq(kmem_cache_destroy(cache), 0);
}

/* But for those that its freelist pins. */
Test(kmem_cache, shrink_reaches_into_running_heaps)
{
	struct kmem_cache *cache = make(1000, 0, 0, NULL);
	uint64_t bytes = bytes_while_another_waits(cache, kmem_cache_shrink);

	cr_expect_leq(bytes, 3 * 65536, "%lu bytes", (unsigned long)bytes);
	cr_expect_eq(kmem_cache_destroy(cache), 0);
}

#define OTHERS 100

static struct kmem_cache *other;
static void *others[OTHERS];

static void *free_in_another_group(void *arg)
{
	set_active_memcg(mem_cgroup_create(NULL, "others"));
	for (int i = 0; i < OBJECTS; i++)
		kmem_cache_free(arg, objects[i]);
	for (int i = 0; i < OTHERS; i++)
		kmem_cache_free(other, others[i]);
	return NULL;
}

static void *fill_and_let_free(void *arg)
{
	enter();
	set_active_memcg(mem_cgroup_lookup(NULL, "caches"));
	for (int i = 0; i < OTHERS; i++)
		cr_assert_not_null(others[i] = kmem_cache_alloc(other, GFP_KERNEL));
	fill(arg);
	pthread_barrier_wait(&steps);
	pthread_barrier_wait(&steps);
	kmem_cache_shrink(other);
	return NULL;
}

/* They wait for it on one list with those of other caches, which must stay. */
Test(kmem_cache, destroyed_with_frees_that_the_owner_has_not_seen)
{
	struct kmem_cache *cache = make(1000, 0, 0, NULL);
	struct mem_cgroup_stat stat = {.size = sizeof(stat)};
	pthread_t thread, freer;

	other = make(300, 0, 0, NULL);
	pthread_barrier_init(&steps, NULL, 2);
	cr_assert_eq(pthread_create(&thread, NULL, fill_and_let_free, cache), 0);
	pthread_barrier_wait(&steps);
	cr_assert_eq(pthread_create(&freer, NULL, free_in_another_group, cache), 0);
	cr_assert_eq(pthread_join(freer, NULL), 0);
	cr_expect_eq(kmem_cache_destroy(cache), 0);
	cr_expect_eq(mem_cgroup_verify(mem_cgroup_root(), NULL), 0);
	cr_expect_eq(mem_cgroup_stat(mem_cgroup_root(), &stat), 0);
	cr_expect_geq(stat.slab_bytes, OTHERS * 300, "the other cache is not touched");
	cr_expect_lt(stat.slab_bytes, 200000);
	pthread_barrier_wait(&steps);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	stat = (struct mem_cgroup_stat){.size = sizeof(stat)};
	cr_expect_eq(mem_cgroup_stat(mem_cgroup_root(), &stat), 0);
	cr_expect_eq(stat.slab_bytes, 0, "its owner has found what was freed");
	cr_expect_eq(kmem_cache_destroy(other), 0);
}

static bool churning;

static void *fill_and_churn(void *arg)
{
	void *blocks[64];

	set_active_memcg(mem_cgroup_lookup(NULL, "caches"));
	fill(arg);
	empty(arg);
	pthread_barrier_wait(&steps);
	while (__atomic_load_n(&churning, __ATOMIC_RELAXED)) {
		for (int i = 0; i < 64; i++)
			cr_assert_not_null(blocks[i] = kmalloc(8000, GFP_KERNEL));
		for (int i = 0; i < 64; i++)
			kfree(blocks[i]);
		kfree(kmalloc(3000, GFP_KERNEL));
	}
	return NULL;
}

/* Its owner moves free objects from the freelist to their slabs meanwhile. */
Test(kmem_cache, destroyed_while_the_owner_of_its_slabs_is_at_work, .init = enter)
{
	pthread_barrier_init(&steps, NULL, 2);
	for (int i = 0; i < 300; i++) {
		struct kmem_cache *cache = make(200, 0, 0, NULL);
		pthread_t thread;

		churning = true;
		cr_assert_eq(pthread_create(&thread, NULL, fill_and_churn, cache), 0);
		pthread_barrier_wait(&steps);
		usleep((unsigned int)i % 10 * 10);
		cr_assert_eq(kmem_cache_destroy(cache), 0, "after %d", i);
		__atomic_store_n(&churning, false, __ATOMIC_RELAXED);
		cr_assert_eq(pthread_join(thread, NULL), 0);
	}
}

Test(kmem_cache, ids_are_used_again)
{
	uint32_t highest = 0;

	for (int i = 0; i < 300; i++) {
		struct kmem_cache *cache = make(100 + (unsigned int)i, 0, 0, NULL);
		void *object = kmem_cache_alloc(cache, GFP_KERNEL);

		cr_assert_not_null(object);
		memset(object, 1, 100 + (size_t)i);
		kmem_cache_free(cache, object);
		if (cache->id > highest)
			highest = cache->id;
		cr_assert_eq(kmem_cache_destroy(cache), 0);
	}
	cr_expect_lt(highest, (uint32_t)SIZE_CLASSES + 10);
}

Test(kmem_cache, objects_of_another_cache_die, .signal = SIGABRT)
{
	struct kmem_cache *a = make(100, 0, 0, NULL), *b = make(100, 0, 0, NULL);

	kmem_cache_free(b, kmem_cache_alloc(a, GFP_KERNEL));
}

Test(kmem_cache, spans_die_too, .signal = SIGABRT)
{
	kmem_cache_free(make(100, 0, 0, NULL), kmalloc(1 << 20, GFP_KERNEL));
}

/* ---- SLAB_TYPESAFE_BY_RCU ------------------------------------------------------ */

Test(kmem_cache, typesafe_objects_stay_under_rcu, .init = enter)
{
	struct kmem_cache *cache = make(sizeof(struct built), 0, SLAB_TYPESAFE_BY_RCU, build);
	struct built *built;

	fill(cache);
	built = objects[OBJECTS / 2];
	rcu_read_lock();
	empty(cache);
	kmem_cache_shrink(cache);
	for (int i = 0; i < 3000; i++) /* whatever wants pages now */
		memset(kmalloc(sizeof(struct built), GFP_KERNEL), 0xff, sizeof(struct built));
	cr_expect_eq(built->magic, 0x600d);
	cr_expect_eq(slab_of(built)->cache, cache);
	rcu_read_unlock();
	cr_expect_eq(kmem_cache_destroy(cache), 0);
}
