/* SPDX-License-Identifier: MIT */
/* Spans that go out, and those that do not; with all that is counted, before and after. */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include <cgslab/slab.h>

#include "alloc/pages/page_run.h"
#include "alloc/slab/span.h"
#include "alloc/swap/swap_io.h"
#include "shrinker/reclaim.h"
#include "tests/shrinker/cg.h"
#include "tests/shrinker/swapper.h"

static struct mem_cgroup *group;
static struct span *span;

static void make(void)
{
	swapper_begin();
	group = cg_create(NULL, "group");
	span = swapper_span(group, SPAN, 1);
}

static void end(void)
{
	span_put(span);
	cg_destroy(group);
	swapper_end();
}

/* The one that could go did not, and is whole. */
static void expect_in(void)
{
	cr_expect(!swapper_is_out(span));
	cr_expect(swapper_is_whole(span, 1));
}

Test(swap_out, goes_and_comes_back, .init = make, .fini = end)
{
	struct numbers before = numbers_of(group);

	cr_expect(swapper_reclaim(group, SPAN));
	cr_expect(swapper_is_out(span));
	cr_expect_eq(span_size(span), SPAN);
	EXPECT_CHANGES(&before, {CURRENT, -(int64_t)SPAN}, {SPANS, -(int64_t)SPAN}, {SWAP, SPAN},
		       {SWAP_PEAK, SPAN}, {PSWPOUT, PAGES(SPAN)}, {FILE_BYTES, SPAN});
	cr_expect(swapper_is_whole(span, 1));
	EXPECT_CHANGES(&before, {SWAP_PEAK, SPAN}, {PSWPOUT, PAGES(SPAN)}, {PSWPIN, PAGES(SPAN)});
}

/* All of a page to 4 MiB, again and again. */
Test(swap_out, any_size, .init = make, .fini = end)
{
	const size_t sizes[] = {KIB(4), KIB(8), KIB(60), KIB(512), KIB(1028), KIB(4096)};

	cr_assert(swapper_reclaim(group, SPAN));
	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct span *other = swapper_span(group, sizes[i], i);

		for (int round = 0; round < 3; round++) {
			cr_expect(swapper_reclaim(group, sizes[i]));
			cr_expect(swapper_is_out(other));
			cr_expect(swapper_is_whole(other, i));
		}
		span_put(other);
	}
}

Test(swap_out, no_more_than_is_wanted, .init = make, .fini = end)
{
	struct span *spans[40];
	uint64_t out;

	for (unsigned int i = 0; i < 40; i++)
		spans[i] = swapper_span(group, SPAN, i);
	for (size_t want = KIB(4); want < 40 * SPAN / 4; want *= 4) {
		out = swapper_number(group, SWAP);
		cr_expect(swapper_reclaim(group, want));
		out = swapper_number(group, SWAP) - out;
		cr_expect(out >= want && out < want + SPAN, "%zu of %zu", (size_t)out, want);
	}
	for (unsigned int i = 0; i < 40; i++) {
		cr_expect(swapper_is_whole(spans[i], i));
		span_put(spans[i]);
	}
}

/* ---- Those that stay ----------------------------------------------------------- */

Test(swap_out, pinned, .init = make, .fini = end)
{
	struct numbers before = numbers_of(group);
	void *data = span_pin(span);

	cr_expect(!swapper_reclaim(group, SPAN));
	cr_expect(!swapper_is_out(span));
	cr_expect_eq(span_pin(span), data);
	span_unpin(span);
	cr_expect(!swapper_reclaim(group, SPAN));
	EXPECT_NO_CHANGE(&before);
	span_unpin(span);
	cr_expect(swapper_reclaim(group, SPAN));
	cr_expect(swapper_is_out(span));
}

static void *pin_it(void *arg)
{
	return span_pin(arg);
}

static void *unpin_it(void *arg)
{
	span_unpin(arg);
	return NULL;
}

static void *in_thread(void *(*fn)(void *arg), void *arg)
{
	pthread_t thread;
	void *ret;

	cr_assert_eq(pthread_create(&thread, NULL, fn, arg), 0);
	cr_assert_eq(pthread_join(thread, &ret), 0);
	return ret;
}

/* Whoever pins it, and whoever ends that. */
Test(swap_out, pinned_by_another, .init = make, .fini = end)
{
	cr_assert(in_thread(pin_it, span));
	cr_expect(!swapper_reclaim(group, SPAN));
	span_unpin(span);
	cr_expect(swapper_reclaim(group, SPAN));
	cr_assert(span_pin(span));
	cr_expect(!swapper_reclaim(group, SPAN));
	in_thread(unpin_it, span);
	cr_expect(swapper_reclaim(group, SPAN));
	cr_expect(swapper_is_out(span));
	/* Brought in by another, who has the pin. */
	cr_assert(in_thread(pin_it, span));
	cr_expect(!swapper_reclaim(group, SPAN));
	span_unpin(span);
	cr_expect(swapper_reclaim(group, SPAN));
}

Test(swap_out, not_swappable, .init = make, .fini = end)
{
	struct span *other;
	struct numbers before;

	cr_assert(swapper_reclaim(group, SPAN));
	set_active_memcg(group);
	other = span_alloc(SPAN, GFP_KERNEL);
	set_active_memcg(NULL);
	before = numbers_of(group);
	cr_expect(!swapper_reclaim(group, SPAN));
	EXPECT_NO_CHANGE(&before);
	span_put(other);
}

Test(swap_out, of_another_group, .init = make, .fini = end)
{
	struct mem_cgroup *other = cg_create(NULL, "other");
	struct span *others = swapper_span(other, SPAN, 2);
	struct numbers before = numbers_of(group);

	cr_expect(swapper_reclaim(other, SPAN));
	cr_expect(swapper_is_out(others));
	EXPECT_CHANGES(&before, {FILE_BYTES, SPAN});
	expect_in();
	span_put(others);
	cg_destroy(other);
}

/* What a group below has counts above it. */
Test(swap_out, of_a_child, .init = make, .fini = end)
{
	struct mem_cgroup *child = cg_create(group, "child");
	struct span *childs = swapper_span(child, SPAN, 2);
	struct numbers above = numbers_of(group), before = numbers_of(child);

	cr_expect(swapper_reclaim(child, SPAN));
	EXPECT_CHANGES(&above, {CURRENT, -(int64_t)SPAN}, {SPANS, -(int64_t)SPAN}, {SWAP, SPAN},
		       {SWAP_PEAK, SPAN}, {PSWPOUT, PAGES(SPAN)}, {FILE_BYTES, SPAN});
	EXPECT_CHANGES(&before, {CURRENT, -(int64_t)SPAN}, {SPANS, -(int64_t)SPAN}, {SWAP, SPAN},
		       {SWAP_PEAK, SPAN}, {PSWPOUT, PAGES(SPAN)}, {FILE_BYTES, SPAN});
	cr_expect(swapper_is_whole(childs, 2));
	span_put(childs);
	cg_destroy(child);
}

/* For who allocates at the limit, however he does, unless it may not take time. */
Test(swap_out, at_the_limit, .init = make, .fini = end)
{
	const gfp_t gfp[] = {GFP_KERNEL, GFP_NOFS};

	mem_cgroup_set_max(group, SPAN + KIB(4));
	set_active_memcg(group);
	cr_expect_null(kmalloc(SPAN, GFP_NOWAIT));
	for (size_t i = 0; i < sizeof(gfp) / sizeof(gfp[0]); i++) {
		void *block = kmalloc(SPAN, gfp[i]);

		cr_expect(block);
		cr_expect(swapper_is_out(span));
		kfree(block);
		cr_expect(swapper_is_whole(span, 1));
	}
	set_active_memcg(NULL);
	cr_expect_leq(mem_cgroup_peak(group), SPAN + KIB(4));
}

/* The machine gets the pages back, not only the group its charge. */
Test(swap_out, for_the_machine, .init = make, .fini = end)
{
	struct page_run_stats before, after;

	page_runs_stats(&before);
	cr_expect_geq(reclaim_machine(PAGES(SPAN)), PAGES(SPAN));
	page_runs_stats(&after);
	cr_expect_leq(after.used + after.dirty + (size_t)PAGES(SPAN), before.used + before.dirty);
	cr_expect(swapper_is_out(span));
}

/* What is on its way when swap is switched off has got there; nothing else follows. */
Test(swap_out, switched_off, .init = make, .fini = end)
{
	struct span *other = swapper_span(group, SPAN, 2);
	struct numbers before;

	cr_expect(swapper_reclaim(group, SPAN));
	cr_expect_eq(span_swapoff(), 0);
	before = numbers_of(group);
	cr_expect(!swapper_reclaim(group, SPAN));
	EXPECT_NO_CHANGE(&before);
	cr_expect(swapper_is_out(span));
	cr_expect(swapper_is_whole(span, 1), "it can still come back");
	cr_expect_eq(span_swapon(swapper_directory, UINT64_MAX), 0);
	cr_expect(swapper_reclaim(group, SPAN));
	span_put(other);
}

Test(swap_out, bad_directories, .init = make, .fini = end)
{
	errno = 7;
	cr_expect_eq(span_swapon(NULL, UINT64_MAX), -EINVAL);
	cr_expect_eq(span_swapon(swapper_directory, 0), -EINVAL);
	cr_expect_eq(span_swapon("/nowhere/at/all", UINT64_MAX), -ENOENT);
	cr_expect_eq(span_swapon("/dev/null", UINT64_MAX), -ENOTDIR);
	cr_expect_eq(errno, 7);
	cr_expect(swapper_reclaim(group, SPAN), "the one before is still in use");
}

/* ---- Limits and errors ---------------------------------------------------------- */

Test(swap_out, swap_max, .init = make, .fini = end)
{
	struct span *other = swapper_span(group, SPAN, 2);
	struct numbers before;
	int64_t failed;

	mem_cgroup_set_swap_max(group, KIB(256));
	cr_expect(swapper_reclaim(group, SPAN));
	before = numbers_of(group);
	cr_expect_eq(before.of[SWAP], SPAN);
	cr_expect(!swapper_reclaim(group, SPAN));
	failed = swapper_number(group, SWAP_FAIL_EVENTS);
	cr_expect_gt(failed, 0);
	EXPECT_CHANGES(&before, {SWAP_MAX_EVENTS, failed}, {SWAP_FAIL_EVENTS, failed});
	mem_cgroup_set_swap_max(group, KIB(512));
	cr_expect(swapper_reclaim(group, SPAN));
	cr_expect(swapper_is_whole(span, 1));
	cr_expect(swapper_is_whole(other, 2));
	span_put(other);
}

/* The limit of a group above, which the event is counted for. */
Test(swap_out, swap_max_above, .init = make, .fini = end)
{
	struct mem_cgroup *child = cg_create(group, "child");
	struct span *childs = swapper_span(child, SPAN, 2);

	mem_cgroup_set_swap_max(group, KIB(252));
	cr_expect(!swapper_reclaim(child, SPAN));
	cr_expect_gt(swapper_number(group, SWAP_MAX_EVENTS), 0);
	cr_expect_eq(swapper_number(child, SWAP_MAX_EVENTS), 0);
	cr_expect_gt(swapper_number(child, SWAP_FAIL_EVENTS), 0);
	cr_expect(!swapper_is_out(childs));
	span_put(childs);
	cg_destroy(child);
}

/* Nothing of it is refused; who allocates is slowed down. */
Test(swap_out, swap_high, .init = make, .fini = end)
{
	struct numbers before = numbers_of(group);

	cg_write(group, "memory.swap.high", "4K");
	cr_expect(swapper_reclaim(group, SPAN));
	EXPECT_CHANGES(&before, {CURRENT, -(int64_t)SPAN}, {SPANS, -(int64_t)SPAN}, {SWAP, SPAN},
		       {SWAP_PEAK, SPAN}, {PSWPOUT, PAGES(SPAN)}, {FILE_BYTES, SPAN});
	cr_expect(swapper_is_whole(span, 1));
}

static void fails(int error)
{
	struct numbers before = numbers_of(group);
	int64_t failed;

	swapper.write_error = error;
	cr_expect(!swapper_reclaim(group, SPAN));
	swapper.write_error = 0;
	failed = numbers_of(group).of[SWAP_FAIL_EVENTS] - before.of[SWAP_FAIL_EVENTS];
	cr_expect_eq(failed, swapper.writes);
	EXPECT_CHANGES(&before, {SWAP_FAIL_EVENTS, failed}, {SWAP_PEAK, SPAN});
	expect_in();
	cr_expect(swapper_reclaim(group, SPAN), "the next time it goes");
	cr_expect(swapper_is_whole(span, 1));
}

Test(swap_out, disk_full, .init = make, .fini = end)
{
	fails(ENOSPC);
}

Test(swap_out, write_error, .init = make, .fini = end)
{
	fails(EIO);
}

/* The file may have no more than two. */
Test(swap_out, file_full, .init = make, .fini = end)
{
	struct span *spans[3];

	cr_assert_eq(span_swapon(swapper_directory, 2 * SPAN), 0);
	for (unsigned int i = 0; i < 3; i++)
		spans[i] = swapper_span(group, SPAN, 10 + i);
	cr_expect(swapper_reclaim(group, 2 * SPAN));
	cr_expect(!swapper_reclaim(group, SPAN));
	cr_expect_gt(swapper_number(group, SWAP_FAIL_EVENTS), 0);
	cr_expect_eq(swapper_number(group, SWAP_MAX_EVENTS), 0);
	cr_expect_eq(swapper_number(group, SWAP), 2 * SPAN);
	for (unsigned int i = 0; i < 3; i++) {
		cr_expect(swapper_is_whole(spans[i], 10 + i));
		span_put(spans[i]);
	}
}

Test(swap_out, short_writes_and_reads, .init = make, .fini = end)
{
	struct numbers before = numbers_of(group);

	swapper.piece = 12345;
	cr_expect(swapper_reclaim(group, SPAN));
	cr_expect_eq(swapper.writes, SPAN / 12345 + 1);
	cr_expect(swapper_is_whole(span, 1));
	cr_expect_eq(swapper.reads, SPAN / 12345 + 1);
	EXPECT_CHANGES(&before, {SWAP_PEAK, SPAN}, {PSWPOUT, PAGES(SPAN)}, {PSWPIN, PAGES(SPAN)});
}

/* ---- One word all over ------------------------------------------------------------- */

static void filled_with(uint64_t word)
{
	struct numbers before;
	uint64_t *words = span_pin(span);
	uint64_t differ = 0;

	for (size_t i = 0; i < SPAN / sizeof(*words); i++)
		words[i] = word;
	span_unpin(span);
	before = numbers_of(group);
	cr_expect(swapper_reclaim(group, SPAN));
	EXPECT_CHANGES(&before, {CURRENT, -(int64_t)SPAN}, {SPANS, -(int64_t)SPAN}, {SWAP, SPAN},
		       {SWAP_PEAK, SPAN});
	words = span_pin(span);
	for (size_t i = 0; i < SPAN / sizeof(*words); i++)
		differ |= words[i] ^ word;
	cr_expect_eq(differ, 0);
	span_unpin(span);
	EXPECT_CHANGES(&before, {SWAP_PEAK, SPAN});
	cr_expect_eq(swapper.writes, 0);
	cr_expect_eq(swapper.reads, 0);
}

Test(swap_out, zeros, .init = make, .fini = end)
{
	filled_with(0);
}

Test(swap_out, one_word, .init = make, .fini = end)
{
	filled_with(0x0123456789abcdefull);
}

/* But for one byte, wherever that is. */
Test(swap_out, nearly_one_word, .init = make, .fini = end)
{
	const size_t at[] = {0, 1, 7, 8, SPAN / 2, SPAN - 8, SPAN - 1};

	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		char *data = span_pin(span);

		memset(data, 0, SPAN);
		data[at[i]] = 1;
		span_unpin(span);
		cr_expect(swapper_reclaim(group, SPAN));
		cr_expect_eq(swapper.writes, i + 1);
		data = span_pin(span);
		cr_expect_eq(data[at[i]], 1);
		data[at[i]] = 0;
		cr_expect(data[0] == 0 && !memcmp(data, data + 1, SPAN - 1));
		span_unpin(span);
	}
}

/* ---- Somebody comes while it is written --------------------------------------------- */

static struct numbers on_the_way;

static void look(void)
{
	swapper.at_write = NULL;
	on_the_way = numbers_of(group);
}

/* It is charged for both then, and counted as such. */
Test(swap_out, on_its_way, .init = make, .fini = end)
{
	struct numbers before = numbers_of(group);

	swapper.at_write = look;
	cr_expect(swapper_reclaim(group, SPAN));
	cr_expect_eq(on_the_way.of[TRANSIT], SPAN);
	cr_expect_eq(on_the_way.of[CURRENT], before.of[CURRENT]);
	cr_expect_eq(on_the_way.of[SPANS], before.of[SPANS]);
	cr_expect_eq(on_the_way.of[SWAP], SPAN);
	EXPECT_CHANGES(&on_the_way, {CURRENT, -(int64_t)SPAN}, {SPANS, -(int64_t)SPAN},
		       {TRANSIT, -(int64_t)SPAN}, {PSWPOUT, PAGES(SPAN)}, {FILE_BYTES, SPAN});
}

static pthread_t thread;

static void *pin_and_look(void *arg)
{
	(void)arg;
	return (void *)(uintptr_t)swapper_is_whole(span, 1);
}

static void fail_from_now_on(void)
{
	swapper.write_error = EIO;
}

static void pin_comes(void)
{
	swapper.at_write = fail_from_now_on;
	cr_assert_eq(pthread_create(&thread, NULL, pin_and_look, NULL), 0);
	while (!span_is_wanted(span_slab(span)))
		;
}

/* Who waits for it has it back at once. The write has not failed, those that follow do. */
Test(swap_out, wanted, .init = make, .fini = end)
{
	struct numbers before = numbers_of(group);
	void *whole = NULL;

	swapper.at_write = pin_comes;
	cr_expect(!swapper_reclaim(group, SPAN));
	cr_assert_eq(pthread_join(thread, &whole), 0);
	cr_expect(whole);
	cr_expect_eq(swapper.reads, 0, "it never was out");
	EXPECT_CHANGES(&before, {SWAP_PEAK, SPAN}, {SWAP_FAIL_EVENTS, swapper.writes - 1});
	expect_in();
}

static void last_put(void)
{
	swapper.at_write = NULL;
	span_put(span);
}

/* The swapper has the last reference then: what was charged goes from where it has got to. */
Test(swap_out, last_put_meanwhile, .init = make)
{
	struct numbers before = numbers_of(group);

	swapper.at_write = last_put;
	cr_expect(swapper_reclaim(group, SPAN));
	EXPECT_CHANGES(&before, {CURRENT, -(int64_t)SPAN}, {SPANS, -(int64_t)SPAN},
		       {SWAP_PEAK, SPAN}, {PSWPOUT, PAGES(SPAN)});
	cg_destroy(group);
	swapper_end();
}

/* And if it stays: */
Test(swap_out, last_put_and_an_error, .init = make)
{
	struct numbers before = numbers_of(group);

	swapper.at_write = last_put;
	swapper.write_error = EIO;
	swapper_reclaim(group, SPAN);
	EXPECT_CHANGES(&before, {CURRENT, -(int64_t)SPAN}, {SPANS, -(int64_t)SPAN},
		       {SWAP_PEAK, SPAN}, {SWAP_FAIL_EVENTS, 1});
	cg_destroy(group);
	swapper_end();
}

/* One that is out goes with its last reference. */
Test(swap_out, last_put_afterwards, .init = make)
{
	struct numbers before = numbers_of(group);

	cr_expect(swapper_reclaim(group, SPAN));
	span_put(span);
	EXPECT_CHANGES(&before, {CURRENT, -(int64_t)SPAN}, {SPANS, -(int64_t)SPAN},
		       {SWAP_PEAK, SPAN}, {PSWPOUT, PAGES(SPAN)});
	cg_destroy(group);
	swapper_end();
}
