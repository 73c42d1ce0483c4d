/* SPDX-License-Identifier: MIT */
/* What threads keep in stock, and how others get it. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <semaphore.h>
#include <string.h>

#include <cgslab/slab.h>

#include "accounting/obj_stock.h"

#define LIMIT  (1ul << 20)
#define BLOCKS 4096

static struct mem_cgroup *memcg;
static void *blocks[BLOCKS];

static void make(void)
{
	memcg = mem_cgroup_create(NULL, "stocks");
	cr_assert_not_null(memcg);
}

static int64_t bytes_in_stock(void)
{
	struct mem_cgroup_identity sum;

	cr_assert_eq(mem_cgroup_verify(memcg, &sum), 0);
	return sum.stock_bytes;
}

/* ---- How much ----------------------------------------------------------- */

Test(stock, one_thread_keeps_one_batch_at_most, .init = make)
{
	const int64_t most = (MEMCG_CHARGE_BATCH + 1) * (int64_t)PAGE_SIZE;
	int n = 0;

	set_active_memcg(memcg);
	for (int i = 0; i < BLOCKS; i++) {
		blocks[n++] = kmalloc((size_t)(i * 37) % 5000, GFP_KERNEL);
		if (i % 50 == 0)
			cr_assert_leq(bytes_in_stock(), most);
	}
	while (n) {
		kfree(blocks[--n]);
		if (n % 50 == 0)
			cr_assert_leq(bytes_in_stock(), most);
	}
	for (int i = 0; i < 100; i++) { /* the largest there are */
		blocks[i] = kmalloc(KMALLOC_MAX_CACHE_SIZE, GFP_KERNEL);
		cr_assert_leq(bytes_in_stock(), most);
	}
	for (int i = 0; i < 100; i++) {
		kfree(blocks[i]);
		cr_assert_leq(bytes_in_stock(), most);
	}
}

/* Up and down by so many pages. */
static void swing(int times)
{
	void *large[100];

	while (times--) {
		for (int i = 0; i < 100; i++)
			large[i] = kmalloc(KMALLOC_MAX_CACHE_SIZE, GFP_KERNEL);
		for (int i = 0; i < 100; i++)
			kfree(large[i]);
	}
}

Test(stock, without_swings_little_is_kept, .init = make)
{
	const int64_t most = (STOCK_PAGES + 1) * (int64_t)PAGE_SIZE;
	int n = 0;

	set_active_memcg(memcg);
	for (int i = 0; i < BLOCKS; i++) {
		blocks[n++] = kmalloc(5000, GFP_KERNEL);
		if (i % 50 == 0)
			cr_assert_leq(bytes_in_stock(), most);
	}
	while (n) {
		kfree(blocks[--n]);
		if (n % 50 == 0)
			cr_assert_leq(bytes_in_stock(), most);
	}
}

Test(stock, swings_let_it_grow_until_it_is_idle, .init = make)
{
	const int64_t most = (MEMCG_CHARGE_BATCH + 1) * (int64_t)PAGE_SIZE;

	set_active_memcg(memcg);
	for (int i = 0; i < 50; i++) {
		swing(1);
		cr_assert_leq(bytes_in_stock(), most);
	}
	swing(50); /* nobody looks on: it takes no time */
	cr_expect(memcg_drain_idle_stocks(), "it may still be needed");
	cr_expect_gt(bytes_in_stock(), STOCK_PAGES * (int64_t)PAGE_SIZE);
	os_sleep_us(200000);
	cr_expect_not(memcg_drain_idle_stocks());
	cr_expect_lt(bytes_in_stock(), (int64_t)PAGE_SIZE);
	cr_expect_eq(mem_cgroup_verify(memcg, NULL), 0);
}

Test(stock, after_a_lull_it_holds_little_again, .init = make)
{
	set_active_memcg(memcg);
	swing(50);
	cr_assert_gt(bytes_in_stock(), STOCK_PAGES * (int64_t)PAGE_SIZE);
	for (int i = 0; i < BLOCKS; i++)
		blocks[i] = kmalloc(5000, GFP_KERNEL);
	os_sleep_us(200000);
	for (int i = 0; i < BLOCKS; i++)
		kfree(blocks[i]);
	cr_expect_leq(bytes_in_stock(), (STOCK_PAGES + 1) * (int64_t)PAGE_SIZE);
}

/* What stocks may hold is a small part of what is left. */
Test(stock, swings_near_the_limit_let_nothing_grow, .init = make)
{
	cr_assert_eq(mem_cgroup_set_max(memcg, 110 * KMALLOC_MAX_CACHE_SIZE), 0);
	set_active_memcg(memcg);
	for (int i = 0; i < 20; i++) {
		swing(10);
		cr_assert_leq(bytes_in_stock(), (2 * STOCK_PAGES + 1) * (int64_t)PAGE_SIZE);
	}
}

/* Near a limit nothing is taken in advance. */
Test(stock, near_the_limit_less_than_a_page, .init = make)
{
	cr_assert_eq(mem_cgroup_set_max(memcg, LIMIT / 2), 0);
	set_active_memcg(memcg);
	for (int i = 0; i < 400; i++) {
		cr_assert_not_null(kmalloc(1000, GFP_KERNEL));
		cr_assert_lt(bytes_in_stock(), (int64_t)PAGE_SIZE);
	}
}

/* ---- Taking it from others ---------------------------------------------- */

struct sleeper {
	void (*fn)(void); /* leaves something in stock */
	sem_t ready, go;
	pthread_t thread;
};

static void *sleep_with_stock(void *arg)
{
	struct sleeper *sleeper = arg;

	sleeper->fn();
	sem_post(&sleeper->ready);
	sem_wait(&sleeper->go);
	return NULL;
}

static void sleeper_start(struct sleeper *sleeper, void (*fn)(void))
{
	sleeper->fn = fn;
	sem_init(&sleeper->ready, 0, 0);
	sem_init(&sleeper->go, 0, 0);
	cr_assert_eq(pthread_create(&sleeper->thread, NULL, sleep_with_stock, sleeper), 0);
	sem_wait(&sleeper->ready);
}

static void sleeper_end(struct sleeper *sleeper)
{
	sem_post(&sleeper->go);
	cr_assert_eq(pthread_join(sleeper->thread, NULL), 0);
}

static void allocate_and_free(void)
{
	static void *mine[400];

	set_active_memcg(memcg);
	for (int i = 0; i < 400; i++)
		mine[i] = kmalloc(1024, GFP_KERNEL);
	for (int i = 0; i < 400; i++)
		kfree(mine[i]);
}

static void free_blocks(void)
{
	for (int i = 0; i < 400; i++)
		kfree(blocks[i]);
}

static void free_blocks_and_leave(void)
{
	struct mem_cgroup *other = mem_cgroup_create(NULL, "other");

	set_active_memcg(memcg);
	free_blocks();
	set_active_memcg(other);
}

/* Takes what the limit allows, and sees that nearly all of it could be had. */
static void take_everything(gfp_t gfp)
{
	size_t bytes = 0;
	void *block;

	set_active_memcg(memcg);
	while ((block = kmalloc(1024, gfp)))
		bytes += ksize(block);
	cr_expect_geq(bytes, LIMIT - PAGE_SIZE, "%zu of %lu", bytes, LIMIT);
	cr_expect_leq(mem_cgroup_usage(memcg), LIMIT);
	cr_expect_eq(mem_cgroup_event(memcg, MEMCG_EVENT_OOM), 1);
}

Test(stock, of_a_sleeping_thread, .init = make)
{
	struct sleeper sleeper;

	sleeper_start(&sleeper, allocate_and_free);
	cr_assert_gt(bytes_in_stock(), 100 * 1024, "nothing to be had");
	cr_assert_eq(mem_cgroup_set_max(memcg, LIMIT), 0);
	take_everything(GFP_KERNEL);
	sleeper_end(&sleeper);
	cr_expect_eq(mem_cgroup_verify(memcg, NULL), 0);
}

static void allocate_blocks(void)
{
	set_active_memcg(memcg);
	for (int i = 0; i < 400; i++)
		blocks[i] = kmalloc(1024, GFP_KERNEL);
	set_active_memcg(NULL);
}

/* Stocks of threads elsewhere, which only free objects of the group. */
Test(stock, of_a_sleeping_thread_in_another_group, .init = make)
{
	struct sleeper sleeper;

	allocate_blocks();
	sleeper_start(&sleeper, free_blocks);
	cr_assert_gt(bytes_in_stock(), 100 * 1024, "nothing to be had");
	cr_assert_eq(mem_cgroup_set_max(memcg, LIMIT), 0);
	take_everything(GFP_KERNEL);
	sleeper_end(&sleeper);
	cr_expect_eq(mem_cgroup_verify(memcg, NULL), 0);
}

/* The heap that the thread left is parked with its stock. */
Test(stock, of_a_parked_heap, .init = make)
{
	struct sleeper sleeper;

	allocate_blocks();
	sleeper_start(&sleeper, free_blocks_and_leave);
	cr_assert_gt(bytes_in_stock(), 100 * 1024, "nothing to be had");
	cr_assert_eq(mem_cgroup_set_max(memcg, LIMIT), 0);
	take_everything(GFP_KERNEL);
	sleeper_end(&sleeper);
	cr_expect_eq(mem_cgroup_verify(memcg, NULL), 0);
}

/* The limit that is in the way is an ancestor's, the stock a cousin's. */
Test(stock, of_another_group_below_the_limit, .init = make)
{
	struct mem_cgroup *top = memcg;
	struct mem_cgroup *cousin = mem_cgroup_create(memcg, "cousin");
	struct sleeper sleeper;

	memcg = cousin;
	sleeper_start(&sleeper, allocate_and_free);
	cr_assert_gt(bytes_in_stock(), 100 * 1024, "nothing to be had");
	memcg = top;
	cr_assert_eq(mem_cgroup_set_max(top, LIMIT), 0);
	take_everything(GFP_KERNEL);
	sleeper_end(&sleeper);
	cr_expect_eq(mem_cgroup_verify(top, NULL), 0);
}

/* ---- Refusals ----------------------------------------------------------- */

/* All that a refusal may not change. */
struct books {
	struct mem_cgroup_identity sum;
	uint64_t usage, peak, max;
	struct mem_cgroup_stat stat;
};

static struct books read_books(struct mem_cgroup *of)
{
	struct books books;

	memset(&books, 0, sizeof(books));
	books.stat.size = sizeof(books.stat);
	cr_assert_eq(mem_cgroup_verify(of, &books.sum), 0);
	books.usage = mem_cgroup_usage(of);
	books.peak = mem_cgroup_peak(of);
	books.max = mem_cgroup_max(of);
	cr_assert_eq(mem_cgroup_stat(of, &books.stat), 0);
	return books;
}

/* Charges @size bytes in some way, in vain. */
static void be_refused(int way, size_t size, void *block)
{
	struct obj_cgroup *objcg;

	switch (way) {
	case 0:
		cr_expect_null(kmalloc(size, GFP_KERNEL));
		break;
	case 1:
		cr_expect_null(kmalloc(size, GFP_NOWAIT));
		break;
	case 2:
		objcg = get_obj_cgroup_from_current();
		cr_expect_neq(obj_cgroup_charge(objcg, GFP_KERNEL, size), 0);
		obj_cgroup_put(objcg);
		break;
	case 3:
		cr_expect_null(krealloc(block, size + ksize(block), GFP_KERNEL));
		break;
	}
}

static void expect_no_trace(struct mem_cgroup *child, struct mem_cgroup *parent, void *block)
{
	static const size_t sizes[] = {20000, 60000, 70000, 300000, 10 << 20};

	for (int way = 0; way < 4; way++) {
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			struct books before, after;
			uint64_t oom;

			be_refused(way, sizes[i], block); /* drains what there is */
			oom = mem_cgroup_event(parent, MEMCG_EVENT_OOM);
			before = read_books(child);
			be_refused(way, sizes[i], block);
			after = read_books(child);
			cr_expect_eq(memcmp(&before, &after, sizeof(before)), 0, "way %d, %zu", way,
				     sizes[i]);
			before = read_books(parent);
			be_refused(way, sizes[i], block);
			after = read_books(parent);
			cr_expect_eq(memcmp(&before, &after, sizeof(before)), 0, "way %d, %zu", way,
				     sizes[i]);
			cr_expect_eq(
				mem_cgroup_event(parent, MEMCG_EVENT_OOM), oom + 2,
				"way %d, %zu: %lu more", way, sizes[i],
				(unsigned long)(mem_cgroup_event(parent, MEMCG_EVENT_OOM) - oom));
		}
	}
}

static void fill_up_to(size_t room)
{
	while (mem_cgroup_usage(memcg) + room < LIMIT)
		cr_assert_not_null(kmalloc(4000, GFP_KERNEL));
}

Test(stock, a_refusal_leaves_no_trace, .init = make)
{
	struct mem_cgroup *child = mem_cgroup_create(memcg, "child");
	void *block;

	cr_assert_eq(mem_cgroup_set_max(memcg, LIMIT), 0);
	set_active_memcg(child);
	block = kmalloc(100000, GFP_KERNEL);
	fill_up_to(12000);
	expect_no_trace(child, memcg, block);
	cr_expect_eq(mem_cgroup_event(child, MEMCG_EVENT_OOM), 0, "it was not its limit");
	cr_expect_eq(mem_cgroup_event(child, MEMCG_EVENT_MAX), 0);
}

Test(stock, nofail_passes_the_limit_and_only_that, .init = make)
{
	void *block, *large;

	cr_assert_eq(mem_cgroup_set_max(memcg, LIMIT), 0);
	set_active_memcg(memcg);
	fill_up_to(0);
	block = kmalloc(50000, GFP_KERNEL | __GFP_NOFAIL);
	large = kmalloc(500000, GFP_KERNEL | __GFP_NOFAIL);
	cr_assert(block && large);
	cr_expect_gt(mem_cgroup_usage(memcg), LIMIT + 500000);
	cr_expect_null(kmalloc(50000, GFP_KERNEL));
	cr_expect_eq(mem_cgroup_verify(memcg, NULL), 0);
	kfree(block);
	kfree(large);
	memcg_drain_stocks(memcg);
	cr_expect_leq(mem_cgroup_usage(memcg), LIMIT);
	cr_expect_eq(mem_cgroup_verify(memcg, NULL), 0);
}

Test(stock, a_lower_limit_takes_nothing_away, .init = make)
{
	void *block;

	set_active_memcg(memcg);
	block = kmalloc(500000, GFP_KERNEL);
	cr_assert_eq(mem_cgroup_set_max(memcg, PAGE_SIZE), 0);
	cr_expect_geq(mem_cgroup_usage(memcg), 500000);
	memset(block, 1, 500000);
	cr_expect_null(kmalloc(5000, GFP_KERNEL));
	kfree(block);
	cr_expect_not_null(kmalloc(4000, GFP_KERNEL), "there is room again");
	cr_assert_eq(mem_cgroup_set_max(memcg, MEMCG_MAX), 0);
	cr_expect_not_null(kmalloc(500000, GFP_KERNEL));
}
