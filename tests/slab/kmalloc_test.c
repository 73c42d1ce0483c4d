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

#include "alloc/base/os.h"
#include "alloc/pages/page_run.h"

static bool is_zero(const char *block, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (block[i])
			return false;
	return true;
}

static uint64_t live_bytes(void)
{
	struct mem_cgroup_stat stat = {.size = sizeof(stat)};

	cr_assert_eq(mem_cgroup_stat(mem_cgroup_current(), &stat), 0);
	cr_assert_eq(mem_cgroup_verify(mem_cgroup_root(), NULL), 0);
	return stat.object_bytes + stat.span_bytes;
}

/* In a group of its own, so that nothing else counts. */
static void enter(void)
{
	set_active_memcg(mem_cgroup_create(NULL, "kmalloc"));
}

Test(kmalloc, any_size_is_usable_and_charged, .init = enter)
{
	for (size_t size = 0; size < 3 << 20; size = size * 9 / 8 + 1) {
		char *block = kmalloc(size, GFP_KERNEL);

		cr_assert_not_null(block);
		cr_assert_geq(ksize(block), size ? size : 1);
		cr_assert_eq((uintptr_t)block % 16, 0);
		memset(block, 0xff, ksize(block));
		cr_assert_eq(live_bytes(), ksize(block), "%zu bytes", size);
		kfree(block);
		cr_assert_eq(live_bytes(), 0);
	}
	cr_expect_eq(ksize(NULL), 0);
	kfree(NULL);
}

Test(kmalloc, powers_of_two_are_aligned_to_themselves)
{
	for (size_t size = 16; size <= 4096; size *= 2)
		for (int i = 0; i < 50; i++)
			cr_assert_eq((uintptr_t)kmalloc(size, GFP_KERNEL) % size, 0, "%zu", size);
}

Test(kmalloc, zeroed_memory_is_zero_also_when_used_again)
{
	static const size_t sizes[] = {1, 16, 100, 4000, 60000, 70000, 500000};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (int round = 0; round < 20; round++) {
			char *block = round % 2 ? kzalloc(sizes[i], GFP_KERNEL)
						: kmalloc(sizes[i], GFP_KERNEL | __GFP_ZERO);

			cr_assert_not_null(block);
			cr_assert(is_zero(block, sizes[i]), "%zu bytes", sizes[i]);
			memset(block, 0xff, ksize(block));
			kfree(block);
		}
	}
}

Test(kmalloc, too_much_is_refused)
{
	static const size_t sizes[] = {SIZE_MAX,    SIZE_MAX - 4096, (size_t)PTRDIFF_MAX + 1,
				       PTRDIFF_MAX, 1ul << 62,	     1ul << 46};
	char *block = kmalloc(100000, GFP_KERNEL);

	memset(block, 7, 100000);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		errno = 0;
		cr_expect_null(kmalloc(sizes[i], GFP_KERNEL), "%zx", sizes[i]);
		cr_expect_eq(errno, ENOMEM);
		errno = 0;
		cr_expect_null(kzalloc(sizes[i], GFP_KERNEL), "%zx", sizes[i]);
		cr_expect_eq(errno, ENOMEM);
		errno = 0;
		cr_expect_null(krealloc(block, sizes[i], GFP_KERNEL), "%zx", sizes[i]);
		cr_expect_eq(errno, ENOMEM);
	}
	for (size_t i = 0; i < 100000; i++)
		cr_assert_eq(block[i], 7);
	cr_expect_eq(mem_cgroup_verify(mem_cgroup_root(), NULL), 0);
}

Test(kmalloc, free_keeps_errno)
{
	void *large = kmalloc(1 << 20, GFP_KERNEL);
	void *blocks[2000];

	for (int i = 0; i < 2000; i++)
		blocks[i] = kmalloc(1000, GFP_KERNEL);
	errno = 4711;
	for (int i = 0; i < 2000; i++)
		kfree(blocks[i]);
	kfree(large);
	kfree(NULL);
	cr_expect_eq(errno, 4711);
}

/* ---- krealloc ------------------------------------------------------------- */

Test(krealloc, keeps_contents_whatever_the_sizes, .init = enter)
{
	static const size_t sizes[] = {1,      100,    5000,   60000,  65536,	65537,
				       100000, 130000, 131072, 200000, 1 << 20, 5 << 20,
				       300000, 70000,  66000,  65000,  3000,	10};
	const size_t nr = sizeof(sizes) / sizeof(sizes[0]);

	for (size_t i = 0; i < nr; i++) {
		for (size_t j = 0; j < nr; j++) {
			size_t kept = sizes[i] < sizes[j] ? sizes[i] : sizes[j];
			unsigned char *block = kmalloc(sizes[i], GFP_KERNEL);

			for (size_t k = 0; k < sizes[i]; k++)
				block[k] = (unsigned char)(k * 31 >> 3);
			block = krealloc(block, sizes[j], GFP_KERNEL);
			cr_assert_not_null(block);
			cr_assert_geq(ksize(block), sizes[j]);
			for (size_t k = 0; k < kept; k++)
				cr_assert_eq(block[k], (unsigned char)(k * 31 >> 3),
					     "byte %zu, from %zu to %zu", k, sizes[i], sizes[j]);
			cr_assert_eq(live_bytes(), ksize(block));
			kfree(block);
		}
	}
	cr_expect_eq(live_bytes(), 0);
}

Test(krealloc, null_and_nothing, .init = enter)
{
	void *block = krealloc(NULL, 100, GFP_KERNEL);

	cr_assert_not_null(block);
	cr_expect_null(krealloc(block, 0, GFP_KERNEL));
	cr_expect_eq(live_bytes(), 0, "it was freed");
}

static size_t size_after_growth(void)
{
	void *block = kmalloc(1792, GFP_KERNEL);
	size_t size;

	cr_assert_not_null(block);
	block = krealloc(block, 1793, GFP_KERNEL);
	cr_assert_not_null(block);
	size = ksize(block);
	kfree(block);
	return size;
}

/* What is not asked for is never a reason to charge. */
Test(krealloc, growth_gets_a_quarter_more_where_that_is_charged_already, .init = enter)
{
	struct mem_cgroup *tight = mem_cgroup_create(NULL, "tight");

	for (int i = 0; i < 8; i++) /* batches grow, and stay in the stock */
		kfree(kmalloc(60000, GFP_KERNEL));
	cr_expect_eq(size_after_growth(), 2560);
	cr_assert_eq(mem_cgroup_set_max(tight, 16 << 10), 0);
	set_active_memcg(tight);
	cr_expect_eq(size_after_growth(), 2048);
	cr_expect_eq(mem_cgroup_event(tight, MEMCG_EVENT_MAX), 0);
	set_active_memcg(NULL);
}

Test(krealloc, refused_leaves_the_block, .init = enter)
{
	static const size_t sizes[] = {1000, 60000, 70000, 300000};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		unsigned char *block = kmalloc(sizes[i], GFP_KERNEL);
		uint64_t before = live_bytes();

		memset(block, 0xa5, sizes[i]);
		mem_cgroup_set_max(mem_cgroup_current(), mem_cgroup_usage(mem_cgroup_current()));
		errno = 0;
		cr_expect_null(krealloc(block, sizes[i] + 400000, GFP_KERNEL));
		cr_expect_eq(errno, ENOMEM);
		for (size_t k = 0; k < sizes[i]; k++)
			cr_assert_eq(block[k], 0xa5);
		cr_expect_eq(live_bytes(), before);
		mem_cgroup_set_max(mem_cgroup_current(), MEMCG_MAX);
		kfree(block);
	}
}

/* A span that grows takes what it needs more, not its whole size again. */
/* Everything that is left below the limit, in blocks of any size. */
static void use_up(void)
{
	for (size_t size = 100000; size >= 16; size /= 2)
		while (kmalloc(size, GFP_KERNEL))
			;
}

Test(krealloc, smaller_is_never_refused, .init = enter)
{
	const size_t sizes[][2] = {{100000, 20000}, {3 << 20, 70000}, {5000, 100}, {16, 8}};
	char *blocks[4];

	for (int i = 0; i < 4; i++) {
		blocks[i] = kmalloc(sizes[i][0], GFP_KERNEL);
		cr_assert_not_null(blocks[i]);
		memset(blocks[i], i + 1, sizes[i][0]);
	}
	cr_assert_eq(mem_cgroup_set_max(mem_cgroup_current(), 8 << 20), 0);
	use_up();
	for (int i = 3; i >= 0; i--) {
		errno = 0;
		blocks[i] = krealloc(blocks[i], sizes[i][1], GFP_KERNEL);
		cr_assert_not_null(blocks[i], "%zu to %zu", sizes[i][0], sizes[i][1]);
		cr_expect_eq(errno, 0);
		cr_expect_eq(blocks[i][0], i + 1);
		cr_expect_eq(blocks[i][sizes[i][1] - 1], i + 1);
		use_up();
	}
	cr_expect_eq(mem_cgroup_verify(mem_cgroup_root(), NULL), 0);
}

Test(kmalloc, what_nobody_gets_is_in_no_peak, .init = enter)
{
	void *block = kmalloc(100000, GFP_KERNEL);
	uint64_t peak = mem_cgroup_peak(mem_cgroup_current());

	cr_expect_null(kmalloc((size_t)1 << 45, GFP_KERNEL));
	cr_expect_null(krealloc(block, (size_t)1 << 45, GFP_KERNEL));
	cr_expect_eq(mem_cgroup_peak(mem_cgroup_current()), peak);
	kfree(block);
}

Test(krealloc, spans_grow_by_the_difference, .init = enter)
{
	void *block = kmalloc(2 << 20, GFP_KERNEL);
	void *behind = kmalloc(100000, GFP_KERNEL); /* no room to grow in place */

	memset(block, 1, 2 << 20);
	mem_cgroup_set_max(mem_cgroup_current(), 4 << 20);
	block = krealloc(block, 3 << 20, GFP_KERNEL);
	cr_assert_not_null(block, "there is room for the difference");
	cr_expect_eq(live_bytes(), ksize(block) + ksize(behind));
}

static size_t pages_used(void)
{
	struct page_run_stats stats;

	page_runs_stats(&stats);
	return stats.used;
}

static size_t pages(size_t bytes)
{
	return bytes >> PAGE_SHIFT;
}

#define SPAN_SIZE (256ul << 10)

/* Pages that may be resident are nobody's until they are grown into: so they decay. */
Test(krealloc, room_that_is_resident_stays_free, .init = enter)
{
	void *idle = kmalloc(32 * SPAN_SIZE, GFP_KERNEL);
	char *block = kmalloc(SPAN_SIZE, GFP_KERNEL), *first;
	void *behind = kmalloc(SPAN_SIZE, GFP_KERNEL);
	size_t used = pages_used();

	cr_assert(block && behind);
	kfree(idle);
	first = block = krealloc(block, 2 * SPAN_SIZE, GFP_KERNEL);
	for (size_t n = 3; n <= 16; n++) {
		block = krealloc(block, n * SPAN_SIZE, GFP_KERNEL);
		cr_expect_eq(block, first, "nothing was in the way");
		cr_expect_eq(pages_used() + pages(33 * SPAN_SIZE), used + pages(n * SPAN_SIZE));
	}
}

Test(krealloc, who_is_always_in_the_way_is_so_twice_a_doubling, .init = enter)
{
	void *idle = kmalloc(512 * SPAN_SIZE, GFP_KERNEL);
	size_t page = (size_t)sysconf(_SC_PAGESIZE), size = SPAN_SIZE;
	char *block = kmalloc(size, GFP_KERNEL), *moved;
	int moves = 0;

	kmalloc(SPAN_SIZE, GFP_KERNEL);
	kfree(idle);
	for (; size < 8 * SPAN_SIZE; size += page) {
		block[size - 1] = (char)moves;
		moved = krealloc(block, size + page, GFP_KERNEL);
		cr_expect_eq(moved[size - 1], (char)moves);
		moves += moved != block;
		block = moved;
		cr_assert_not_null(kmalloc(KMALLOC_MAX_CACHE_SIZE + 1, GFP_KERNEL));
	}
	cr_expect_leq(moves, 2 * 3 + 1);
	cr_expect_geq(moves, 3, "it was in the way of nothing");
}

/* ---- RCU ------------------------------------------------------------------ */

struct item {
	char payload[200];
	struct rcu_head rcu;
};

Test(kfree_rcu, frees_after_readers, .init = enter)
{
	struct item *item = kmalloc(sizeof(*item), GFP_KERNEL);
	struct item *large = kmalloc(sizeof(*large) + 100000, GFP_KERNEL);

	memset(item->payload, 7, sizeof(item->payload));
	rcu_read_lock();
	kfree_rcu(item, rcu);
	kfree_rcu(large, rcu);
	for (size_t i = 0; i < sizeof(item->payload); i++)
		cr_assert_eq(item->payload[i], 7);
	cr_expect_gt(live_bytes(), 100000);
	rcu_read_unlock();
	kvfree_rcu_barrier();
	cr_expect_eq(live_bytes(), 0);
}

/* ---- Crimes ---------------------------------------------------------------- */

Test(kmalloc, foreign_pointers_die, .signal = SIGABRT)
{
	int here;

	kfree(kmalloc(1, GFP_KERNEL));
	kfree(&here);
}

Test(kmalloc, freeing_an_object_twice_in_a_row_dies, .signal = SIGABRT)
{
	void *volatile block = kmalloc(100, GFP_KERNEL);

	kfree(block);
	kfree(block);
}

Test(kmalloc, freeing_a_span_twice_dies, .signal = SIGABRT)
{
	void *block = kmalloc(1 << 20, GFP_KERNEL);

	kfree(block);
	kfree(block);
}

Test(kmalloc, pointers_into_a_span_die, .signal = SIGABRT)
{
	kfree((char *)kmalloc(1 << 20, GFP_KERNEL) + 16);
}
