/* SPDX-License-Identifier: MIT */
/*
 * What a removed group has of a cache: the free of the last object of a slab
 * destroys it, in that call, whoever frees and whatever else goes on.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <urcu-bp.h>

#include <cgslab/memcg.h>
#include <cgslab/slab.h>

#include "alloc/slab/heap.h"

#define OBJECTS 300

/* Its objects are freed by RCU, too. */
struct thing {
	struct rcu_head rcu;
	char rest[200];
};

static struct kmem_cache *cache;
static struct mem_cgroup *memcg;
static void *objects[OBJECTS];

static void *in_thread(void *(*fn)(void *), void *arg)
{
	pthread_t thread;
	void *ret;

	cr_assert_eq(pthread_create(&thread, NULL, fn, arg), 0);
	cr_assert_eq(pthread_join(thread, &ret), 0);
	return ret;
}

static void *fill(void *arg)
{
	set_active_memcg(memcg);
	for (int i = 0; i < OBJECTS; i++)
		cr_assert_not_null(objects[i] = kmem_cache_alloc(cache, GFP_KERNEL));
	return arg;
}

static void make_live(slab_flags_t flags)
{
	cache = kmem_cache_create("dead", sizeof(struct thing), 0, flags, NULL);
	memcg = mem_cgroup_create(NULL, "dead");
	cr_assert(cache && memcg);
	in_thread(fill, NULL);
}

static void remove_group(void)
{
	cr_assert_eq(mem_cgroup_rmdir(memcg), 0);
	mem_cgroup_put(memcg);
}

static void make(void)
{
	make_live(0);
	remove_group();
}

/* ---- What is left ------------------------------------------------------------- */

static void count_slab(struct slab *slab, void *arg)
{
	if (slab->cache == cache && slab->kind == SLAB_OBJECTS)
		++*(unsigned int *)arg;
}

static unsigned int slabs(void)
{
	unsigned int n = 0;

	slab_for_each(count_slab, &n);
	return n;
}

static uint64_t dying(void)
{
	return mem_cgroup_nr_dying_descendants(mem_cgroup_root());
}

/* Slabs and group are gone, without a wait; with them, its user willing, the cache. */
static void expect_nothing(void)
{
	cr_expect_eq(slabs(), 0, "%u slabs", slabs());
	cr_expect_eq(dying(), 0, "%lu groups", (unsigned long)dying());
	cr_expect_eq(READ_ONCE(cache->refcnt), 1, "%ld references", (long)cache->refcnt);
	cr_expect_eq(mem_cgroup_verify(mem_cgroup_root(), NULL), 0);
	cr_expect_eq(kmem_cache_destroy(cache), 0);
}

static void free_but_one(void)
{
	for (int i = 1; i < OBJECTS; i++)
		kmem_cache_free(cache, objects[i]);
	if (cache->flags & SLAB_TYPESAFE_BY_RCU)
		rcu_barrier();
	cr_expect_eq(slabs(), 1, "%u slabs for one object", slabs());
	cr_expect_eq(dying(), 1);
}

static void free_last(void)
{
	errno = 4711;
	kmem_cache_free(cache, objects[0]);
	cr_expect_eq(errno, 4711);
}

/* ---- Who frees ------------------------------------------------------------------ */

/* Each of its slabs goes with its own last object. */
Test(dead_cache, each_slab_goes_with_its_last_object, .init = make)
{
	for (int i = 0; i < OBJECTS; i++) {
		struct slab *slab = slab_of(objects[i]);
		bool last = slab_count_out(slab) == 1;
		unsigned int before = slabs();

		cr_assert_eq(slab->cache, cache);
		kmem_cache_free(cache, objects[i]);
		cr_assert_eq(before - slabs(), last);
		cr_assert_eq(slab_of(objects[i])->kind == SLAB_NONE, last, "object %d", i);
	}
	expect_nothing();
}

/* What no object is in goes with the group, and nothing is kept for speed. */
Test(dead_cache, empty_slabs_go_with_the_group)
{
	make_live(0);
	for (int i = 0; i < OBJECTS; i++)
		kmem_cache_free(cache, objects[i]);
	remove_group();
	expect_nothing();
}

static void *free_last_in(void *arg)
{
	if (arg)
		set_active_memcg(arg);
	free_last();
	return NULL;
}

Test(dead_cache, last_free_by_a_thread_that_never_allocated, .init = make)
{
	free_but_one();
	in_thread(free_last_in, NULL);
	expect_nothing();
}

Test(dead_cache, last_free_by_a_thread_in_another_group, .init = make)
{
	struct mem_cgroup *other = mem_cgroup_create(NULL, "other");

	free_but_one();
	in_thread(free_last_in, other);
	expect_nothing();
}

Test(dead_cache, last_free_by_kfree, .init = make)
{
	free_but_one();
	kfree(objects[0]);
	expect_nothing();
}

static pthread_key_t late_key;

static void free_late(void *arg)
{
	(void)arg;
	cr_assert_eq(current_heap, &heap_none, "the thread has ended in our eyes");
	free_last();
	expect_nothing();
}

static void *end_with_one_left(void *arg)
{
	kfree(kmalloc(1, GFP_KERNEL));
	pthread_setspecific(late_key, arg);
	return NULL;
}

Test(dead_cache, last_free_by_a_thread_that_has_ended, .init = make)
{
	cr_assert_eq(pthread_key_create(&late_key, free_late), 0);
	free_but_one();
	in_thread(end_with_one_left, &late_key);
}

static void handle(int signal)
{
	(void)signal;
	free_last();
}

/* The handler interrupts nothing of ours. */
Test(dead_cache, last_free_by_a_signal_handler, .init = make)
{
	signal(SIGUSR1, handle);
	free_but_one();
	raise(SIGUSR1);
	expect_nothing();
}

static void *free_in_sigsuspend(void *arg)
{
	sigset_t none;

	sigemptyset(&none);
	cr_assert_eq(sigsuspend(&none), -1);
	return arg;
}

Test(dead_cache, last_free_by_a_signal_handler_of_a_thread_that_waits, .init = make)
{
	pthread_t thread;
	sigset_t usr1;

	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &usr1, NULL);
	signal(SIGUSR1, handle);
	free_but_one();
	cr_assert_eq(pthread_create(&thread, NULL, free_in_sigsuspend, NULL), 0);
	pthread_kill(thread, SIGUSR1); /* blocked until it waits */
	cr_assert_eq(pthread_join(thread, NULL), 0);
	expect_nothing();
}

static void *free_by_rcu(void *arg)
{
	kfree_rcu((struct thing *)objects[0], rcu);
	return arg;
}

Test(dead_cache, last_free_by_kfree_rcu, .init = make)
{
	free_but_one();
	in_thread(free_by_rcu, NULL); /* which is gone when the time comes */
	kvfree_rcu_barrier();
	expect_nothing();
}

Test(dead_cache, all_free_by_kfree_rcu, .init = make)
{
	for (int i = 0; i < OBJECTS; i++)
		kfree_rcu((struct thing *)objects[i], rcu);
	kvfree_rcu_barrier();
	expect_nothing();
}

Test(dead_cache, kmalloc_s_slabs, .init = make)
{
	unsigned int n;

	cache = &kmalloc_caches[5];
	n = slabs();
	memcg = mem_cgroup_create(NULL, "second");
	set_active_memcg(memcg);
	objects[0] = kmalloc(cache->size, GFP_KERNEL);
	set_active_memcg(NULL);
	remove_group();
	cr_expect_eq(slabs(), n + 1);
	kfree(objects[0]);
	cr_expect_eq(slabs(), n);
}

/* ---- SLAB_TYPESAFE_BY_RCU --------------------------------------------------------- */

Test(dead_cache, last_free_of_a_typesafe_object)
{
	make_live(SLAB_TYPESAFE_BY_RCU);
	remove_group();
	memset(objects[0], 0x5a, sizeof(struct thing));
	free_but_one();
	rcu_read_lock();
	free_last();
	/* It is an object of this cache as long as somebody may look. */
	for (int i = 0; i < 1000; i++)
		memset(kmalloc(sizeof(struct thing), GFP_KERNEL), 0xff, sizeof(struct thing));
	cr_expect_eq(slab_of(objects[0])->cache, cache);
	for (size_t i = 0; i < sizeof(struct thing); i++)
		cr_assert_eq(((char *)objects[0])[i], 0x5a);
	rcu_read_unlock();
	rcu_barrier();
	expect_nothing();
}

/* ---- What else goes on ------------------------------------------------------------- */

#define ROUNDS 400

static pthread_barrier_t start;
static bool stop;
static int round_nr;

static void pause_a_little(int turns)
{
	for (int i = 0; i < turns; i++)
		barrier();
}

static void *free_all(void *arg)
{
	pthread_barrier_wait(&start);
	pause_a_little(round_nr % 40 * 50);
	for (int i = (int)(long)arg; i < OBJECTS; i += 2)
		kmem_cache_free(cache, objects[i]);
	return NULL;
}

static void free_while(void (*fn)(void))
{
	pthread_t freers[2];

	pthread_barrier_init(&start, NULL, 3);
	for (long i = 0; i < 2; i++)
		cr_assert_eq(pthread_create(&freers[i], NULL, free_all, (void *)i), 0);
	pthread_barrier_wait(&start);
	fn();
	for (int i = 0; i < 2; i++)
		cr_assert_eq(pthread_join(freers[i], NULL), 0);
}

/* The last free comes before, during and after. */
Test(dead_cache, frees_while_the_group_is_removed)
{
	for (round_nr = 0; round_nr < ROUNDS; round_nr++) {
		make_live(round_nr % 4 ? 0 : SLAB_TYPESAFE_BY_RCU);
		free_while(remove_group);
		if (round_nr % 4 == 0)
			rcu_barrier();
		expect_nothing();
	}
}

static void shrink_a_few_times(void)
{
	for (int i = 0; i < 5; i++)
		kmem_cache_shrink(cache);
}

static void *shrink_all_the_time(void *arg)
{
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
		kmem_cache_shrink(cache);
	return arg;
}

Test(dead_cache, frees_while_the_cache_is_shrunk)
{
	for (round_nr = 0; round_nr < ROUNDS; round_nr++) {
		make();
		free_while(shrink_a_few_times);
		expect_nothing();
	}
}

Test(dead_cache, frees_while_the_group_is_removed_and_the_cache_is_shrunk)
{
	for (round_nr = 0; round_nr < ROUNDS; round_nr++) {
		pthread_t thread;

		make_live(0);
		stop = false;
		cr_assert_eq(pthread_create(&thread, NULL, shrink_all_the_time, NULL), 0);
		free_while(remove_group);
		__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
		cr_assert_eq(pthread_join(thread, NULL), 0);
		expect_nothing();
	}
}
