/* SPDX-License-Identifier: MIT */
/* What a child of fork() has, and what its parent does not notice. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <string.h>

#include <cgslab/slab.h>

#include "accounting/obj_stock.h"
#include "alloc/slab/heap.h"
#include "tests/slab/child.h"

#define BLOCKS 1000

static struct mem_cgroup *memcg;
static struct kmem_cache *cache;
static unsigned char *blocks[BLOCKS];

static size_t size_of(int i)
{
	return 10 + (size_t)(i * 7919) % (i % 50 ? 3000 : 300000);
}

static void fill(void)
{
	memcg = mem_cgroup_create(NULL, "forking");
	cache = kmem_cache_create("forking", 100, 0, 0, NULL);
	cr_assert(memcg && cache);
	set_active_memcg(memcg);
	for (int i = 0; i < BLOCKS; i++) {
		blocks[i] = kmalloc(size_of(i), GFP_KERNEL);
		cr_assert_not_null(blocks[i]);
		memset(blocks[i], i, size_of(i));
	}
}

/* Runs @fn in a child; neither books nor blocks of the parent change. */
static void run_unnoticed(void (*fn)(void))
{
	struct mem_cgroup_identity before, after;

	cr_assert_eq(mem_cgroup_verify(memcg, &before), 0);
	cr_expect_eq(child_run(fork, fn), 0);
	cr_expect_eq(mem_cgroup_verify(memcg, &after), 0);
	cr_expect_eq(memcmp(&before, &after, sizeof(before)), 0);
	for (int i = 0; i < BLOCKS; i++)
		for (size_t j = 0; j < size_of(i); j += 100)
			cr_assert_eq(blocks[i][j], (unsigned char)i);
}

static void free_blocks(void)
{
	for (int i = 0; i < BLOCKS; i++) {
		for (size_t j = 0; j < size_of(i); j += 100)
			CHILD_CHECK(blocks[i][j] == (unsigned char)i);
		kfree(blocks[i]);
	}
}

static void *call(void *arg)
{
	void (**fn)(void) = arg;

	(*fn)();
	return NULL;
}

static void in_thread(void (*fn)(void))
{
	pthread_t thread;

	CHILD_CHECK(!pthread_create(&thread, NULL, call, &fn));
	CHILD_CHECK(!pthread_join(thread, NULL));
}

/* ---- One thread --------------------------------------------------------------- */

static void free_everything(void)
{
	child_verify();
	free_blocks();
	child_verify();
	memcg_drain_stocks(memcg);
	CHILD_CHECK(mem_cgroup_usage(memcg) == 0);
	CHILD_CHECK(!kmem_cache_destroy(cache));
	set_active_memcg(NULL);
	CHILD_CHECK(!mem_cgroup_rmdir(memcg));
}

Test(fork, child_frees_all_that_was_the_parents, .init = fill)
{
	run_unnoticed(free_everything);
}

static void work(void)
{
	for (int i = 0; i < BLOCKS; i++) {
		void *object = kmem_cache_alloc(cache, GFP_KERNEL);
		void *block = kmalloc(size_of(i), GFP_KERNEL);

		CHILD_CHECK(object && block);
		memset(block, 0xff, size_of(i));
		kmem_cache_free(cache, object);
		if (i % 3)
			kfree(block);
	}
	child_verify();
}

static void work_in_threads(void)
{
	work();
	in_thread(work);
	in_thread(free_blocks);
	child_verify();
}

Test(fork, child_works_and_starts_threads, .init = fill)
{
	run_unnoticed(work_in_threads);
}

static void fork_again(void)
{
	work();
	CHILD_CHECK(!child_run(fork, work_in_threads));
	child_verify();
}

Test(fork, child_has_children, .init = fill)
{
	run_unnoticed(fork_again);
}

static void hit_limit(void)
{
	CHILD_CHECK(mem_cgroup_max(memcg) == 8 << 20);
	while (kmalloc(1000, GFP_KERNEL))
		;
	CHILD_CHECK(mem_cgroup_event(memcg, MEMCG_EVENT_OOM) == 1);
	CHILD_CHECK(mem_cgroup_usage(memcg) <= 8 << 20);
	child_verify();
	mem_cgroup_set_max(memcg, 9 << 20);
}

Test(fork, limits_are_the_childs_own, .init = fill)
{
	cr_assert_eq(mem_cgroup_set_max(memcg, 8 << 20), 0);
	run_unnoticed(hit_limit);
	cr_expect_eq(mem_cgroup_max(memcg), 8 << 20);
	cr_expect_eq(mem_cgroup_event(memcg, MEMCG_EVENT_OOM), 0);
}

static void use_rcu(void)
{
	struct mem_cgroup *child = mem_cgroup_create(memcg, "child");

	CHILD_CHECK(child);
	CHILD_CHECK(!mem_cgroup_rmdir(child));
	mem_cgroup_put(child);
	kvfree_rcu_barrier();
	CHILD_CHECK(mem_cgroup_create(memcg, "child"));
}

Test(fork, rcu_works_in_the_child, .init = fill)
{
	use_rcu();
	mem_cgroup_rmdir(mem_cgroup_lookup(memcg, "child"));
	run_unnoticed(use_rcu);
}

/* ---- Several threads ------------------------------------------------------------ */

static bool stop;

/* In groups of its own, and out of them. */
static void *disturb(void *arg)
{
	struct mem_cgroup *mine = mem_cgroup_create(memcg, arg);
	void *kept[64] = {NULL};

	for (unsigned int i = 0; !READ_ONCE(stop); i++) {
		void **place = &kept[i % 64];

		if (i % 100 == 0)
			set_active_memcg(i % 200 ? mine : NULL);
		kfree(*place);
		*place = kmalloc((size_t)(i * 7919) % 100000, GFP_KERNEL);
	}
	for (int i = 0; i < 64; i++)
		kfree(kept[i]);
	set_active_memcg(NULL);
	cr_assert_eq(mem_cgroup_rmdir(mine), 0);
	mem_cgroup_put(mine);
	return NULL;
}

static void verify_and_free(void)
{
	child_verify();
	free_blocks();
	work();
	/* The lost threads are in no group any more. */
	CHILD_CHECK(!mem_cgroup_rmdir(mem_cgroup_lookup(memcg, "x")));
	CHILD_CHECK(!mem_cgroup_rmdir(mem_cgroup_lookup(memcg, "y")));
	child_verify();
}

Test(fork, other_threads_are_cut_off, .init = fill)
{
	pthread_t x, y;

	cr_assert_eq(pthread_create(&x, NULL, disturb, (void *)"x"), 0);
	cr_assert_eq(pthread_create(&y, NULL, disturb, (void *)"y"), 0);
	for (int i = 0; i < 1000; i++) { /* until both are at work */
		struct mem_cgroup *lookup = mem_cgroup_lookup(memcg, i % 2 ? "x" : "y");

		if (!lookup)
			i -= 2;
		mem_cgroup_put(lookup);
		sched_yield();
	}
	for (int i = 0; i < 50; i++)
		cr_assert_eq(child_run(fork, verify_and_free), 0, "child %d", i);
	WRITE_ONCE(stop, true);
	cr_assert_eq(pthread_join(x, NULL), 0);
	cr_assert_eq(pthread_join(y, NULL), 0);
	cr_expect_eq(mem_cgroup_verify(mem_cgroup_root(), NULL), 0);
	for (int i = 0; i < BLOCKS; i++)
		for (size_t j = 0; j < size_of(i); j += 100)
			cr_assert_eq(blocks[i][j], (unsigned char)i);
}

static sem_t overdrawn, forked;

/* Is cut off after taking from a stock what is not in it, before it asks for more. */
static void *overdraw(void *arg)
{
	struct mem_cgroup *mine = mem_cgroup_create(memcg, "empty");

	set_active_memcg(mine);
	cr_expect(!obj_stock_take(&current_heap->stock, 1 << 20));
	sem_post(&overdrawn);
	sem_wait(&forked);
	obj_stock_untake(&current_heap->stock, 1 << 20);
	set_active_memcg(NULL);
	cr_expect_eq(mem_cgroup_rmdir(mine), 0);
	mem_cgroup_put(mine);
	return arg;
}

static void use_empty_group(void)
{
	struct mem_cgroup *empty = mem_cgroup_lookup(memcg, "empty");

	CHILD_CHECK(mem_cgroup_usage(empty) == 0);
	set_active_memcg(empty);
	kfree(kmalloc(100, GFP_KERNEL));
	child_verify();
	set_active_memcg(NULL);
	CHILD_CHECK(!mem_cgroup_rmdir(empty));
	child_verify();
}

Test(fork, charges_are_cut_off_before_their_refusal, .init = fill)
{
	pthread_t thread;

	sem_init(&overdrawn, 0, 0);
	sem_init(&forked, 0, 0);
	cr_assert_eq(pthread_create(&thread, NULL, overdraw, NULL), 0);
	sem_wait(&overdrawn);
	cr_expect_eq(child_run(fork, use_empty_group), 0);
	sem_post(&forked);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	cr_expect_eq(mem_cgroup_verify(mem_cgroup_root(), NULL), 0);
}

static void enter_again(void)
{
	child_verify();
	set_active_memcg(memcg);
	free_blocks();
	child_verify();
}

/* So does a thread that allocates after its end. */
Test(fork, borrowers_are_cut_off, .init = fill)
{
	struct heap *heap = heap_claim(memcg, HEAP_BORROWED);

	cr_assert_not_null(heap);
	cr_expect_eq(obj_stock_charge(&heap->stock, GFP_KERNEL, 100), 0);
	cr_expect_eq(child_run(fork, enter_again), 0);
	obj_stock_credit(&heap->stock, 100);
	heap_return(heap);
	cr_expect_eq(mem_cgroup_verify(mem_cgroup_root(), NULL), 0);
}
