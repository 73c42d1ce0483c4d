/* SPDX-License-Identifier: MIT */
/* Heaps that nobody comes for: what they keep, and they themselves, are given back. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "alloc/base/meta.h"
#include "alloc/pages/page_run.h"
#include "alloc/slab/heap.h"
#include "alloc/slab/purger.h"

static struct mem_cgroup *a;

static void make(void)
{
	a = mem_cgroup_create(NULL, "a");
	cr_assert_not_null(a);
}

static unsigned int heaps(struct mem_cgroup *memcg)
{
	unsigned int n = 0;

	for (struct heap *heap = memcg_first_heap(memcg); heap; heap = heap->next)
		n++;
	return n;
}

static uint64_t slab_bytes_of(struct mem_cgroup *memcg)
{
	struct mem_cgroup_stat stat = {.size = sizeof(stat)};

	cr_assert_eq(mem_cgroup_stat(memcg, &stat), 0);
	cr_assert_eq(mem_cgroup_verify(mem_cgroup_root(), NULL), 0);
	return stat.slab_bytes;
}

static void pass_time(void)
{
	for (int i = 0; i < 4; i++)
		heaps_retire_look();
}

static void *use(struct mem_cgroup *memcg, size_t size)
{
	struct mem_cgroup *old = set_active_memcg(memcg);
	void *block = kmalloc(size, GFP_KERNEL);

	cr_assert_not_null(block);
	set_active_memcg(old);
	return block;
}

static void use_and_free(struct mem_cgroup *memcg)
{
	struct mem_cgroup *old = set_active_memcg(memcg);

	kfree(kmalloc(100, GFP_KERNEL));
	set_active_memcg(old);
}

Test(idle_heap, leaves_its_group, .init = make)
{
	use_and_free(a);
	cr_expect_eq(heaps(a), 1);
	cr_expect_neq(slab_bytes_of(a), 0);
	heaps_retire_look();
	cr_expect_eq(heaps(a), 1, "at once it may be wanted again");
	pass_time();
	cr_expect_eq(heaps(a), 0);
	cr_expect_eq(slab_bytes_of(a), 0);
	cr_expect_eq(mem_cgroup_usage(a), 0);
	use_and_free(a);
	cr_expect_eq(heaps(a), 1);
	pass_time();
	cr_expect_eq(mem_cgroup_rmdir(a), 0);
}

Test(idle_heap, stays_while_it_is_used, .init = make)
{
	for (int i = 0; i < 10; i++) {
		use_and_free(a);
		heaps_retire_look();
		cr_expect_eq(heaps(a), 1);
	}
	set_active_memcg(a);
	kfree(kmalloc(100, GFP_KERNEL));
	pass_time();
	cr_expect_eq(heaps(a), 1, "a thread is inside");
	cr_expect_neq(slab_bytes_of(a), 0);
}

Test(idle_heap, keeps_what_is_live_and_no_more, .init = make)
{
	struct mem_cgroup *old = set_active_memcg(a);
	char *blocks[200], *first;

	for (int i = 0; i < 200; i++)
		blocks[i] = kmalloc(1000, GFP_KERNEL);
	first = blocks[0];
	first[0] = 'x';
	for (int i = 1; i < 200; i++)
		kfree(blocks[i]);
	set_active_memcg(old);
	pass_time();
	cr_expect_eq(heaps(a), 1);
	cr_expect_leq(slab_bytes_of(a), 4096);
	cr_expect_leq(mem_cgroup_usage(a), 4096);
	cr_expect_eq(first[0], 'x');
	kfree(first); /* from elsewhere */
	pass_time();
	cr_expect_eq(heaps(a), 0);
	cr_expect_eq(slab_bytes_of(a), 0);
}

/* As many as the group had threads at once; one is enough now. */
static pthread_barrier_t barrier;

static void *inside(void *arg)
{
	(void)arg;
	set_active_memcg(a);
	kfree(kmalloc(100, GFP_KERNEL));
	pthread_barrier_wait(&barrier);
	set_active_memcg(NULL);
	return NULL;
}

Test(idle_heap, of_more_than_one_the_surplus_goes, .init = make)
{
	pthread_t threads[4];

	pthread_barrier_init(&barrier, NULL, 4);
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, inside, NULL);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	cr_expect_eq(heaps(a), 4);
	for (int i = 0; i < 4; i++) {
		use_and_free(a);
		heaps_retire_look();
	}
	cr_expect_eq(heaps(a), 1);
}

Test(idle_heap, shrinking_needs_no_time, .init = make)
{
	struct mem_cgroup *b = mem_cgroup_create(NULL, "b");
	struct kmem_cache *cache = kmem_cache_create("idle", 200, 0, 0, NULL);
	struct mem_cgroup *old;

	use_and_free(a);
	heaps_shrink();
	cr_expect_eq(heaps(a), 0);
	old = set_active_memcg(b);
	kmem_cache_free(cache, kmem_cache_alloc(cache, GFP_KERNEL));
	set_active_memcg(old);
	cr_expect_eq(heaps(b), 1);
	cr_expect_eq(kmem_cache_shrink(cache), 0);
	cr_expect_eq(heaps(b), 0);
	cr_expect_eq(kmem_cache_destroy(cache), 0);
}

Test(idle_heap, as_many_are_trimmed_as_are_asked_for)
{
	struct mem_cgroup *groups[8];
	char name[24];

	heaps_give_idle(SIZE_MAX);
	for (int i = 0; i < 8; i++) {
		snprintf(name, sizeof(name), "some-%d", i);
		groups[i] = mem_cgroup_create(NULL, name);
		use_and_free(groups[i]);
	}
	cr_expect_eq(heaps_idle(), 8);
	cr_expect_eq(heaps_give_idle(0), 0);
	cr_expect_eq(heaps_give_idle(3), 3);
	cr_expect_eq(heaps_idle(), 5);
	cr_expect_eq(heaps_give_idle(100), 5);
	cr_expect_eq(heaps_idle(), 0);
	for (int i = 0; i < 8; i++)
		cr_expect_eq(heaps(groups[i]), 0, "group %d", i);
	cr_expect_eq(mem_cgroup_verify(mem_cgroup_root(), NULL), 0);
}

/* Also of a heap that its thread is at work with. */
Test(idle_heap, empty_slabs_are_given_back_from_any_heap, .init = make)
{
	enum { BLOCKS = 100, SIZE = 4096 };
	void *blocks[BLOCKS];
	size_t before;

	heaps_give_empty(SIZE_MAX);
	set_active_memcg(a);
	for (int i = 0; i < BLOCKS; i++)
		blocks[i] = kmalloc(SIZE, GFP_KERNEL);
	for (int i = 0; i < BLOCKS; i++)
		kfree(blocks[i]);
	before = heaps_empty_bytes();
	cr_expect_geq(before, 4 * SIZE, "%zu bytes are kept", before);
	cr_expect_eq(heaps_give_empty(0), 0);
	cr_expect_geq(heaps_give_empty(1), SIZE);
	cr_expect_geq(heaps_empty_bytes(), before - (64 << 10), "one slab");
	cr_expect_neq(heaps_empty_bytes(), before);
	heaps_give_empty(SIZE_MAX);
	cr_expect_eq(heaps_empty_bytes(), 0);
	for (int i = 0; i < BLOCKS; i++) /* it works on */
		blocks[i] = kmalloc(SIZE, GFP_KERNEL);
	for (int i = 0; i < BLOCKS; i++)
		kfree(blocks[i]);
	cr_expect_eq(mem_cgroup_verify(mem_cgroup_root(), NULL), 0);
}

/* ---- Memory ----------------------------------------------------------------- */

#define GROUPS 2000

static struct mem_cgroup *groups[GROUPS];

static void make_many(void)
{
	char name[16];

	for (int i = 0; i < GROUPS; i++) {
		snprintf(name, sizeof(name), "idle-%d", i);
		groups[i] = mem_cgroup_create(NULL, name);
		cr_assert_not_null(groups[i]);
	}
}

static size_t rss(void)
{
	size_t total, resident = 0;
	FILE *file = fopen("/proc/self/statm", "r");

	cr_assert_not_null(file);
	cr_assert_eq(fscanf(file, "%zu %zu", &total, &resident), 2);
	fclose(file);
	return resident * (size_t)sysconf(_SC_PAGESIZE);
}

/* What a group costs that was used once: itself, and the struct of its slab for the next. */
Test(idle_heap, costs_nothing_soon)
{
	size_t before;

	memset(groups, 1, sizeof(groups));
	before = rss();
	make_many();
	for (int i = 0; i < GROUPS; i++)
		use_and_free(groups[i]);
	pass_time();
	heaps_shrink();
	page_runs_purge();
	cr_expect_leq((rss() - before) / GROUPS, 1280, "%zu bytes each", (rss() - before) / GROUPS);
}

/* Of the metadata, too, only as much is needed as groups were busy at once. */
Test(idle_heap, is_for_others)
{
	size_t before = 0;
	void *block;

	make_many();
	for (int round = 0; round < 3; round++) {
		for (int i = round; i < GROUPS; i += 3)
			use_and_free(groups[i]);
		pass_time();
		if (round == 0)
			before = meta_committed();
	}
	cr_expect_leq(meta_committed() - before, 64 << 10, "grown by %zu",
		      meta_committed() - before);
	/* What was given to the kernel in between works as before. */
	heaps_shrink();
	for (int i = 0; i < GROUPS; i++) {
		block = use(groups[i], 300);
		if (i % 2)
			kfree(block);
	}
	for (int i = 0; i < GROUPS; i++)
		cr_assert_eq(heaps(groups[i]), 1);
	pass_time();
	for (int i = 0; i < GROUPS; i++)
		cr_assert_eq(heaps(groups[i]), i % 2 ? 0u : 1u, "group %d", i);
	cr_expect_eq(mem_cgroup_verify(mem_cgroup_root(), NULL), 0);
}

/* ---- The thread --------------------------------------------------------------- */

static unsigned int heaps_of_all(void)
{
	unsigned int n = 0;

	for (int i = 0; i < GROUPS; i++)
		n += heaps(groups[i]);
	return n;
}

static bool comes_true(unsigned int want)
{
	for (int i = 0; i < 1000 && heaps_of_all() != want; i++)
		usleep(10000);
	return heaps_of_all() == want;
}

/* Nobody calls, and it wakes up again when there is more to do. */
Test(idle_heap, the_purger_sees_to_it)
{
	purger_enable();
	make_many();
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < GROUPS; i++)
			use_and_free(groups[i]);
		cr_expect(comes_true(0), "%u are left", heaps_of_all());
		while (!(READ_ONCE(heaps_epoch) & HEAPS_AT_REST))
			usleep(1000);
	}
}
