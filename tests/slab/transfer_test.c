/* SPDX-License-Identifier: MIT */
/* Objects and spans that go to another group. */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include <cgslab/memcg.h>
#include <cgslab/slab.h>

#include "accounting/obj_stock.h"
#include "alloc/slab/heap.h"
#include "alloc/slab/kmalloc.h"

#define SPAN ((size_t)300000)

static struct mem_cgroup *top, *a, *b, *home;

static void make(void)
{
	home = mem_cgroup_current();
	top = mem_cgroup_create(NULL, "top");
	a = mem_cgroup_create(top, "a");
	b = mem_cgroup_create(top, "b");
	cr_assert(top && a && b);
}

static uint64_t live_bytes(struct mem_cgroup *memcg)
{
	struct mem_cgroup_stat stat = {.size = sizeof(stat)};

	cr_assert_eq(mem_cgroup_verify(memcg, NULL), 0);
	cr_assert_eq(mem_cgroup_verify(mem_cgroup_root(), NULL), 0);
	cr_assert_eq(mem_cgroup_stat(memcg, &stat), 0);
	return stat.object_bytes + stat.span_bytes;
}

/* All of it, also what was not asked for. */
static void fill(void *block, int byte)
{
	for (size_t i = 0, size = ksize(block); i < size; i++)
		((unsigned char *)block)[i] = (unsigned char)byte;
}

static void *alloc_in(struct mem_cgroup *memcg, size_t size, int byte)
{
	struct mem_cgroup *old = set_active_memcg(memcg);
	void *block = kmalloc(size, GFP_KERNEL);

	set_active_memcg(old);
	if (block)
		fill(block, byte);
	return block;
}

static bool is_filled(const void *block, int byte)
{
	const unsigned char *bytes = block;

	for (size_t i = 0; i < ksize(block); i++)
		if (bytes[i] != (unsigned char)byte)
			return false;
	return true;
}

/* ---- What moves ------------------------------------------------------------------ */

static void expect_moved(size_t size)
{
	void *block = alloc_in(a, size, 0x5a), *old = block;
	size_t usable = ksize(block);
	uint64_t usage = mem_cgroup_usage(top);

	errno = 4711;
	cr_expect_eq(mem_cgroup_transfer(&block, b), 0, "%zu", size);
	cr_expect_eq(errno, 4711);
	cr_expect_eq(block == old, size > KMALLOC_MAX_CACHE_SIZE, "%zu", size);
	cr_expect_eq(mem_cgroup_usage(top), usage, "%zu", size);
	cr_expect_eq(mem_cgroup_current(), home);
	cr_expect_eq(live_bytes(a), 0);
	cr_expect_eq(live_bytes(b), usable);
	cr_expect_eq(ksize(block), usable);
	cr_expect(is_filled(block, 0x5a));
	kfree(block);
	cr_expect_eq(live_bytes(b), 0);
}

Test(transfer, blocks_of_all_sizes, .init = make)
{
	for (size_t size = 1; size < 10 << 20; size = size * 5 / 4 + 1)
		expect_moved(size);
}

/* From the group the caller is in, or to it. */
Test(transfer, where_the_caller_is, .init = make)
{
	struct mem_cgroup *groups[] = {a, b, top};

	for (int i = 0; i < 3; i++) {
		set_active_memcg(groups[i]);
		home = groups[i];
		expect_moved(100);
		expect_moved(SPAN);
		kfree(kmalloc(100, GFP_KERNEL));
		cr_expect_eq(mem_cgroup_current(), groups[i]);
	}
}

/* The thread is at home there, and elsewhere at work. */
Test(transfer, to_the_callers_home, .init = make)
{
	void *block = alloc_in(a, 100, 1);

	cr_assert_eq(mem_cgroup_attach(b), 0);
	for (int i = 0; i < 3; i++) {
		set_active_memcg(a);
		cr_expect_eq(mem_cgroup_transfer(&block, b), 0);
		cr_expect_eq(mem_cgroup_current(), a);
		cr_expect_eq(mem_cgroup_rmdir(b), -EBUSY, "it is somebody's home");
		cr_expect_eq(mem_cgroup_transfer(&block, a), 0);
		set_active_memcg(NULL);
		cr_expect_eq(mem_cgroup_current(), b);
	}
	cr_assert_eq(mem_cgroup_attach(NULL), 0);
	cr_expect_eq(mem_cgroup_rmdir(b), 0);
	cr_expect(is_filled(block, 1));
}

Test(transfer, there_and_back, .init = make)
{
	void *block = alloc_in(a, 100, 1), *span = alloc_in(a, SPAN, 2);
	uint64_t usage = mem_cgroup_usage(top), bytes = live_bytes(a);

	for (int i = 0; i < 1000; i++) {
		struct mem_cgroup *to = i % 2 ? a : b;

		cr_assert_eq(mem_cgroup_transfer(&block, to), 0);
		cr_assert_eq(mem_cgroup_transfer(&span, to), 0);
		cr_assert_leq(mem_cgroup_usage(top), usage);
		cr_assert_geq(mem_cgroup_usage(top) + 2 * PAGE_SIZE, bytes);
	}
	cr_expect_eq(live_bytes(a), bytes);
	cr_expect_eq(live_bytes(b), 0);
	cr_expect(is_filled(block, 1) && is_filled(span, 2));
}

Test(transfer, nothing_to_do, .init = make)
{
	void *block = alloc_in(a, 100, 1), *old = block, *nothing = NULL;

	cr_expect_eq(mem_cgroup_transfer(&block, a), 0);
	cr_expect_eq(block, old);
	cr_expect_eq(mem_cgroup_transfer(&nothing, a), 0);
	cr_expect_null(nothing);
	cr_expect_eq(mem_cgroup_transfer(&block, NULL), 0, "to the process's group");
	cr_expect_neq(block, old);
	cr_expect_eq(live_bytes(top), 0);
}

/* Also up and down the tree; every ancestor on the way has the right number. */
Test(transfer, up_and_down, .init = make)
{
	struct mem_cgroup *deep = mem_cgroup_create(b, "deep");
	struct mem_cgroup *path[] = {deep, a, deep, b, deep, top, b, a, top, deep};
	void *block = alloc_in(top, 5000, 1), *span = alloc_in(top, SPAN, 2);
	uint64_t bytes = ksize(block) + ksize(span), usage = mem_cgroup_usage(top);

	for (size_t i = 0; i < sizeof(path) / sizeof(path[0]); i++) {
		cr_assert_eq(mem_cgroup_transfer(&block, path[i]), 0);
		cr_assert_eq(mem_cgroup_transfer(&span, path[i]), 0);
		cr_expect_eq(live_bytes(top), bytes);
		cr_expect_eq(live_bytes(deep), path[i] == deep ? bytes : 0);
		cr_expect_eq(live_bytes(b), path[i] == deep || path[i] == b ? bytes : 0);
		cr_expect_eq(live_bytes(a), path[i] == a ? bytes : 0);
		cr_expect_leq(mem_cgroup_usage(top), usage + PAGE_SIZE);
	}
}

Test(transfer, keeps_the_alignment, .init = make)
{
	for (size_t align = 16; align <= 1 << 16; align *= 2) {
		struct mem_cgroup *old = set_active_memcg(a);
		void *blocks[20];

		for (int i = 0; i < 20; i++)
			blocks[i] = kmalloc_aligned(align, align + 24, GFP_KERNEL);
		set_active_memcg(old);
		for (int i = 0; i < 20; i++) {
			cr_assert_eq((uintptr_t)blocks[i] % align, 0);
			cr_assert_eq(mem_cgroup_transfer(&blocks[i], b), 0);
			cr_assert_eq((uintptr_t)blocks[i] % align, 0, "%zu", align);
			kfree(blocks[i]);
		}
	}
	cr_expect_eq(live_bytes(top), 0);
}

/* A span goes on as one of the new group: it grows, shrinks and is killed there. */
Test(transfer, spans_live_on, .init = make)
{
	void *span = alloc_in(a, SPAN, 3), *other = alloc_in(a, SPAN, 4);

	cr_assert_eq(mem_cgroup_transfer(&span, b), 0);
	cr_assert_eq(mem_cgroup_transfer(&other, b), 0);
	span = krealloc(span, 10 * SPAN, GFP_KERNEL);
	cr_expect_eq(live_bytes(b), ksize(span) + ksize(other));
	span = krealloc(span, SPAN, GFP_KERNEL);
	cr_assert_eq(mem_cgroup_transfer(&other, a), 0);
	cr_expect_eq(live_bytes(b), ksize(span));
	cr_expect_eq(mem_cgroup_kill(b, 0), 0);
	cr_expect(is_filled(other, 4));
	cr_expect_eq(live_bytes(top), ksize(other));
	cr_expect_eq(mem_cgroup_kill(a, 0), 0);
	cr_expect_eq(live_bytes(top), 0);
}

/* ---- Caches ------------------------------------------------------------------------ */

static void construct(void *object)
{
	memset(object, 0, 8);
}

static void expect_of_cache(slab_flags_t flags, unsigned int align, void (*ctor)(void *), int err)
{
	struct kmem_cache *cache = kmem_cache_create("things", 72, align, flags, ctor);
	struct mem_cgroup *old = set_active_memcg(a);
	void *thing = kmem_cache_alloc(cache, GFP_KERNEL), *was = thing;
	uint64_t bytes = live_bytes(a);

	memset(thing, 0x77, 72);
	set_active_memcg(old);
	cr_expect_eq(mem_cgroup_transfer(&thing, b), err);
	cr_expect_eq(thing == was, err != 0);
	cr_expect_eq(live_bytes(err ? a : b), bytes);
	cr_expect_eq(live_bytes(err ? b : a), 0);
	for (int i = 0; i < 72; i++)
		cr_assert_eq(((char *)thing)[i], 0x77);
	if (align)
		cr_expect_eq((uintptr_t)thing % align, 0);
	kmem_cache_free(cache, thing);
	cr_expect_eq(live_bytes(top), 0);
	cr_expect_eq(kmem_cache_destroy(cache), 0);
}

Test(transfer, objects_of_caches, .init = make)
{
	expect_of_cache(0, 0, NULL, 0);
	expect_of_cache(SLAB_HWCACHE_ALIGN, 0, NULL, 0);
	expect_of_cache(0, 256, NULL, 0);
}

Test(transfer, not_what_is_known_by_its_address, .init = make)
{
	expect_of_cache(0, 0, construct, -EINVAL);
	expect_of_cache(SLAB_TYPESAFE_BY_RCU, 0, NULL, -EINVAL);
}

/* ---- Limits ------------------------------------------------------------------------ */

static void expect_refused(void **ptr, struct mem_cgroup *to, int err)
{
	uint64_t usage_a = mem_cgroup_usage(a), usage = mem_cgroup_usage(top);
	uint64_t bytes_a = live_bytes(a), bytes_b = live_bytes(b);
	void *old = *ptr;

	cr_expect_eq(mem_cgroup_transfer(ptr, to), err);
	cr_expect_eq(*ptr, old);
	cr_expect(is_filled(old, 9));
	cr_expect_eq(mem_cgroup_usage(a), usage_a);
	cr_expect_eq(mem_cgroup_usage(top), usage);
	cr_expect_eq(live_bytes(a), bytes_a);
	cr_expect_eq(live_bytes(b), bytes_b);
	cr_expect_eq(mem_cgroup_current(), home);
}

Test(transfer, past_the_new_owners_limit, .init = make)
{
	void *block = alloc_in(a, 100, 9), *span = alloc_in(a, SPAN, 9);
	void *first = alloc_in(b, 100, 1);

	memcg_drain_stocks(b);
	cr_assert_eq(mem_cgroup_usage(b), PAGE_SIZE);
	cr_assert_eq(mem_cgroup_set_max(b, PAGE_SIZE), 0);
	expect_refused(&span, b, -ENOMEM);
	cr_expect_eq(mem_cgroup_event(b, MEMCG_EVENT_OOM), 1);
	cr_expect_eq(mem_cgroup_transfer(&block, b), 0, "there is room in the page");
	block = alloc_in(a, 4000, 9);
	expect_refused(&block, b, -ENOMEM);
	cr_assert_eq(mem_cgroup_set_max(b, 0), 0);
	block = alloc_in(a, 4000, 9);
	expect_refused(&block, b, -ENOMEM);
	cr_expect_eq(mem_cgroup_usage(b), PAGE_SIZE);
	cr_expect(is_filled(first, 1));
}

/* A stock that stands in the way is drained. */
Test(transfer, drains_stocks, .init = make)
{
	void *blocks[300], *span = alloc_in(a, SPAN, 9);

	for (int i = 0; i < 300; i++)
		blocks[i] = alloc_in(b, 1000, 1);
	for (int i = 0; i < 300; i++)
		kfree(blocks[i]);
	cr_assert_gt(mem_cgroup_usage(b), 0, "stocks");
	cr_assert_eq(mem_cgroup_set_max(b, round_up_to(SPAN, PAGE_SIZE)), 0);
	cr_expect_eq(mem_cgroup_transfer(&span, b), 0);
}

/* Where both are below a limit that is reached, nothing is added to it. */
Test(transfer, under_a_full_ancestor, .init = make)
{
	void *small = alloc_in(a, 64, 1), *medium = alloc_in(a, 9000, 2),
	     *span = alloc_in(a, SPAN, 3);
	uint64_t bytes = live_bytes(a), usage;

	memcg_drain_stocks(top);
	usage = mem_cgroup_usage(top);
	cr_assert_eq(mem_cgroup_set_max(top, usage), 0);
	cr_expect_null(alloc_in(b, 5000, 0), "it is full");
	cr_expect_eq(mem_cgroup_transfer(&small, b), 0);
	cr_expect_eq(mem_cgroup_transfer(&medium, b), 0);
	cr_expect_eq(mem_cgroup_transfer(&span, b), 0);
	cr_expect_eq(live_bytes(a), 0);
	cr_expect_eq(live_bytes(b), bytes);
	cr_expect_leq(mem_cgroup_usage(top), usage);
	cr_expect_leq(mem_cgroup_peak(top), usage + 64 * PAGE_SIZE);
	cr_expect(is_filled(small, 1) && is_filled(medium, 2) && is_filled(span, 3));
	/* And what was short of bytes on the way is not any more. */
	kfree(small);
	kfree(medium);
	kfree(span);
	memcg_drain_stocks(top);
	cr_expect_eq(mem_cgroup_usage(a), 0);
	cr_expect_eq(mem_cgroup_usage(top), 0);
}

/* Every single one of many, though they do not fill their pages alike. */
Test(transfer, one_by_one_under_a_full_ancestor, .init = make)
{
	enum { N = 1000 };
	static void *blocks[N];
	uint64_t usage;

	for (int i = 0; i < N; i++)
		blocks[i] = alloc_in(a, (size_t)(i * 37) % 2000, i);
	memcg_drain_stocks(top);
	usage = mem_cgroup_usage(top);
	cr_assert_eq(mem_cgroup_set_max(top, usage), 0);
	for (int i = 0; i < N; i++) {
		cr_assert_eq(mem_cgroup_transfer(&blocks[i], b), 0, "%d", i);
		cr_assert_leq(mem_cgroup_usage(top), usage);
		cr_assert_geq(mem_cgroup_usage(b) + PAGE_SIZE, live_bytes(b));
		cr_assert_geq(mem_cgroup_usage(a) + PAGE_SIZE, live_bytes(a), "short of a page");
	}
	cr_expect_eq(live_bytes(a), 0);
	for (int i = 0; i < N; i++)
		cr_expect(is_filled(blocks[i], i));
}

/* To many groups: who gave a page for a few bytes does not give another. */
Test(transfer, short_of_one_page_only, .init = make)
{
	enum { GROUPS = 20 };
	void *blocks[4 * PAGE_SIZE / 64];
	int refused = 0;

	for (size_t i = 0; i < ARRAY_SIZE(blocks); i++)
		blocks[i] = alloc_in(a, 64, 9);
	memcg_drain_stocks(top);
	cr_assert_eq(mem_cgroup_set_max(top, mem_cgroup_usage(top)), 0);
	for (int i = 0; i < GROUPS; i++) {
		struct mem_cgroup *other = mem_cgroup_create(top, (char[]){(char)('A' + i), 0});

		refused += mem_cgroup_transfer(&blocks[i], other) == -ENOMEM;
		cr_assert_geq(mem_cgroup_usage(a) + PAGE_SIZE, live_bytes(a));
		cr_assert_leq(mem_cgroup_usage(top), mem_cgroup_max(top));
	}
	cr_expect_eq(refused, GROUPS - 1);
}

#ifdef CGSLAB_DEBUG

/* Where one lies after a free, it must not pass on the mark of the free. */
Test(transfer, spans_do_not_look_freed, .init = make)
{
	enum { N = 200 };
	void *blocks[N];

	for (int i = 0; i < N; i++)
		blocks[i] = alloc_in(a, 16384, 1);
	for (int i = 0; i < N; i++)
		kfree(blocks[i]);
	cr_assert_eq(mem_cgroup_rmdir(a), 0);
	for (int i = 0; i < N / 8; i++) {
		uint64_t *span = kmalloc(KMALLOC_MAX_CACHE_SIZE + 1, GFP_KERNEL);

		cr_assert_eq(span[1], 0);
	}
}

#endif

/* ---- Groups that go ------------------------------------------------------------------ */

Test(transfer, from_a_group_that_was_removed, .init = make)
{
	void *block = alloc_in(a, 100, 1), *span = alloc_in(a, SPAN, 2);
	void *stays = alloc_in(a, 100, 3);
	uint64_t usage, bytes = live_bytes(a);

	cr_assert_eq(mem_cgroup_rmdir(a), 0);
	usage = mem_cgroup_usage(top);
	cr_expect_eq(mem_cgroup_transfer(&block, b), 0);
	cr_expect_eq(mem_cgroup_transfer(&span, b), 0);
	cr_expect_eq(mem_cgroup_usage(top), usage);
	cr_expect_eq(live_bytes(top), bytes);
	cr_expect_eq(live_bytes(b), ksize(block) + ksize(span));
	cr_expect_eq(mem_cgroup_transfer(&stays, top), 0, "to whom it is charged already");
	cr_expect_eq(live_bytes(top), bytes);
	cr_expect_eq(((struct heap *)memcg_first_heap(top))->memcg, top);
	cr_expect(is_filled(block, 1) && is_filled(span, 2) && is_filled(stays, 3));
	kfree(block);
	kfree(span);
	kfree(stays);
	cr_expect_eq(live_bytes(top), 0);
}

Test(transfer, to_a_group_that_was_removed, .init = make)
{
	void *block = alloc_in(a, 100, 9), *span = alloc_in(a, SPAN, 9);

	cr_assert_eq(mem_cgroup_rmdir(b), 0);
	expect_refused(&block, b, -ENODEV);
	expect_refused(&span, b, -ENODEV);
	cr_assert_eq(mem_cgroup_rmdir(a), 0);
	cr_expect_eq(mem_cgroup_transfer(&block, a), -ENODEV, "its own, even");
}

/* Nobody is inside afterwards. */
Test(transfer, leaves_no_one_behind, .init = make)
{
	void *block = alloc_in(a, 100, 9), *span = alloc_in(a, SPAN, 9);

	cr_assert_eq(mem_cgroup_transfer(&block, b), 0);
	cr_assert_eq(mem_cgroup_transfer(&span, b), 0);
	cr_expect_eq(mem_cgroup_rmdir(b), 0);
	cr_expect_eq(mem_cgroup_kill(a, 0), 0);
	cr_expect(is_filled(block, 9) && is_filled(span, 9));
	kfree(block);
	kfree(span);
	cr_expect_eq(live_bytes(top), 0);
}

/* ---- By threads ------------------------------------------------------------------ */

static void *first_of_all(void *block)
{
	cr_expect_eq(mem_cgroup_transfer(&block, b), 0, "the thread's first call");
	return block;
}

Test(transfer, by_a_new_thread, .init = make)
{
	void *block = alloc_in(a, 100, 9);
	pthread_t thread;

	pthread_create(&thread, NULL, first_of_all, block);
	pthread_join(thread, &block);
	cr_expect(is_filled(block, 9));
	cr_expect_eq(live_bytes(b), ksize(block));
}

static void *by_destructor;
static int by_destructor_err = 1, span_err = 1;

static void transfer_late(void *span)
{
	static __thread int rounds;
	static pthread_key_t again;

	if (rounds++ == 0)
		pthread_key_create(&again, transfer_late);
	if (rounds < 4) { /* after ours */
		pthread_setspecific(again, span);
		return;
	}
	by_destructor_err = mem_cgroup_transfer(&by_destructor, b);
	span_err = mem_cgroup_transfer(&span, b);
}

static void *end_with_destructor(void *span)
{
	pthread_key_t key;

	kfree(kmalloc(1, GFP_KERNEL));
	pthread_key_create(&key, transfer_late);
	pthread_setspecific(key, span);
	return NULL;
}

Test(transfer, by_a_thread_that_has_ended, .init = make)
{
	void *span = alloc_in(a, SPAN, 9);
	pthread_t thread;

	by_destructor = alloc_in(a, 100, 9);
	pthread_create(&thread, NULL, end_with_destructor, span);
	pthread_join(thread, NULL);
	cr_expect_eq(by_destructor_err, -ENODEV);
	cr_expect_eq(span_err, 0);
	cr_expect_eq(live_bytes(b), ksize(span));
	cr_expect(is_filled(by_destructor, 9));
}
