/* SPDX-License-Identifier: MIT */
/* What others have freed is given back though the heap's owner does not come for it. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <string.h>

#include "alloc/pages/page_run.h"
#include "alloc/slab/heap.h"

#define BYTES (8ul << 20)

static void **blocks;
static size_t nr_blocks, block_size;

static void make(size_t size)
{
	block_size = size;
	nr_blocks = BYTES / size;
	blocks = kzalloc(nr_blocks * sizeof(*blocks), GFP_KERNEL);
	for (size_t i = 0; i < nr_blocks; i++) {
		blocks[i] = kmalloc(size, GFP_KERNEL);
		cr_assert_not_null(blocks[i]);
		memset(blocks[i], (int)i, size);
	}
}

static void *free_all(void *every)
{
	size_t step = *(size_t *)every;

	for (size_t i = 0; i < nr_blocks; i += step) {
		kfree(blocks[i]);
		blocks[i] = NULL;
	}
	heaps_reap();
	return NULL;
}

static void others_free(size_t every)
{
	pthread_t thread;

	cr_assert_eq(pthread_create(&thread, NULL, free_all, &every), 0);
	pthread_join(thread, NULL);
}

static size_t used(void)
{
	struct page_run_stats stats;

	page_runs_stats(&stats);
	return stats.used << PAGE_SHIFT;
}

static void verify(void)
{
	cr_assert_eq(mem_cgroup_verify(mem_cgroup_root(), NULL), 0);
}

static void free_rest(void)
{
	for (size_t i = 0; i < nr_blocks; i++) {
		unsigned char *block = blocks[i];

		if (!block)
			continue;
		cr_assert_eq(block[0], (unsigned char)i);
		cr_assert_eq(block[block_size - 1], (unsigned char)i);
		kfree(block);
	}
	kfree(blocks);
}

/* Through sheaves up to 4096 bytes, and one by one above. */
static void check(size_t size)
{
	size_t before;

	make(size);
	before = used();
	others_free(1);
	cr_expect_lt(used(), before - BYTES * 15 / 16, "blocks of %zu", size);
	verify();
	make(size); /* the heap goes on */
	verify();
	free_rest();
	verify();
}

Test(reap, small_blocks)
{
	check(64);
	check(1000);
}

Test(reap, large_blocks)
{
	check(8192);
	check(30000);
}

Test(reap, blocks_of_another_group)
{
	struct mem_cgroup *a = mem_cgroup_create(NULL, "a"), *old;
	size_t before;

	old = set_active_memcg(a);
	make(200);
	before = used();
	others_free(1);
	cr_expect_lt(used(), before - BYTES * 15 / 16);
	cr_expect_lt(mem_cgroup_usage(a), 2ul << 20);
	verify();
	set_active_memcg(old);
	free_rest();
	cr_expect_eq(mem_cgroup_rmdir(a), 0);
	mem_cgroup_put(a);
}

/* Slabs with something alive stay as they are. */
Test(reap, nothing_that_is_in_use)
{
	make(500);
	others_free(2);
	verify();
	free_rest();
	verify();
}

Test(reap, caches_with_readers)
{
	struct kmem_cache *cache = kmem_cache_create("c", 300, 0, SLAB_TYPESAFE_BY_RCU, NULL);

	nr_blocks = BYTES / 300;
	block_size = 300;
	blocks = kzalloc(nr_blocks * sizeof(*blocks), GFP_KERNEL);
	for (size_t i = 0; i < nr_blocks; i++)
		blocks[i] = kmem_cache_alloc(cache, GFP_KERNEL);
	others_free(1);
	verify();
	free_rest();
	kmem_cache_destroy(cache);
	verify();
}
