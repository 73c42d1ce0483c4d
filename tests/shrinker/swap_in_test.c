/* SPDX-License-Identifier: MIT */
/* Spans that come back: charged as any memory is, or refused, or not to be read. */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>

#include "accounting/memalloc.h"
#include "alloc/slab/span.h"
#include "tests/shrinker/cg.h"
#include "tests/shrinker/swapper.h"

static struct mem_cgroup *group;
static struct span *a, *b;

/* One is out, the other is not. */
static void make(void)
{
	swapper_begin();
	group = cg_create(NULL, "group");
	a = swapper_span(group, SPAN, 1);
	b = swapper_span(group, SPAN, 2);
	cr_assert(swapper_reclaim(group, SPAN));
	cr_assert(swapper_is_out(a));
	cr_assert(!swapper_is_out(b));
}

static void end(void)
{
	span_put(a);
	span_put(b);
	cg_destroy(group);
	swapper_end();
}

static struct numbers on_the_way;

static void look(void)
{
	swapper.at_read = NULL;
	on_the_way = numbers_of(group);
}

/* While it is read it is charged for both. */
Test(swap_in, on_its_way, .init = make, .fini = end)
{
	struct numbers before = numbers_of(group);

	swapper.at_read = look;
	cr_expect(swapper_is_whole(a, 1));
	cr_expect_eq(on_the_way.of[TRANSIT], SPAN);
	cr_expect_eq(on_the_way.of[CURRENT], before.of[CURRENT] + (int64_t)SPAN);
	cr_expect_eq(on_the_way.of[SPANS], before.of[SPANS] + (int64_t)SPAN);
	cr_expect_eq(on_the_way.of[SWAP], SPAN);
	EXPECT_CHANGES(&on_the_way, {SWAP, -(int64_t)SPAN}, {TRANSIT, -(int64_t)SPAN},
		       {PSWPIN, PAGES(SPAN)}, {FILE_BYTES, -(int64_t)SPAN});
}

/* At the limit the one takes the other's place. */
Test(swap_in, at_the_limit, .init = make, .fini = end)
{
	struct numbers before;

	cg_write(group, "memory.max", "256K");
	before = numbers_of(group);
	cr_expect_eq(before.of[CURRENT], SPAN);
	cr_expect(swapper_is_whole(a, 1));
	cr_expect(!swapper_is_out(a));
	cr_expect(swapper_is_out(b));
	before.of[MAX_EVENTS] = numbers_of(group).of[MAX_EVENTS];
	EXPECT_CHANGES(&before, {PSWPOUT, PAGES(SPAN)}, {PSWPIN, PAGES(SPAN)}, {SWAP_PEAK, SPAN});
	cr_expect(swapper_is_whole(b, 2));
	cr_expect(swapper_is_out(a));
	cr_expect_eq(cg_read_key(group, "memory.peak", NULL), 2 * SPAN, "never past it since");
	cr_expect_eq(cg_read_key(group, "memory.events", "oom"), 0);
}

/* A span of twice the length takes the places of two. */
Test(swap_in, in_the_place_of_several, .init = make, .fini = end)
{
	struct span *large = swapper_span(group, 2 * SPAN, 3);

	cr_expect(swapper_is_whole(a, 1));
	cg_write(group, "memory.max", "512K");
	for (int i = 0; i < 3; i++) {
		cr_expect(swapper_is_whole(large, 3));
		cr_expect(swapper_is_out(a) && swapper_is_out(b));
		cr_expect(swapper_is_whole(a, 1));
		cr_expect(swapper_is_whole(b, 2));
		cr_expect(swapper_is_out(large));
	}
	span_put(large);
}

static struct mem_cgroup *other;

static void give_away(void)
{
	swapper.at_write = NULL;
	cr_expect_eq(span_transfer(a, other), 0);
}

/* While another is driven out for it: it is its new owner who is charged. */
Test(swap_in, of_another_owner_meanwhile, .init = make, .fini = end)
{
	struct numbers before, there;

	other = cg_create(NULL, "other");
	cg_write(group, "memory.max", "256K");
	before = numbers_of(group);
	there = numbers_of(other);
	swapper.at_write = give_away;
	cr_expect(swapper_is_whole(a, 1));
	cr_expect(swapper_is_out(b));
	before.of[MAX_EVENTS] = numbers_of(group).of[MAX_EVENTS];
	EXPECT_CHANGES(&before, {CURRENT, -(int64_t)SPAN}, {SPANS, -(int64_t)SPAN},
		       {PSWPOUT, PAGES(SPAN)}, {SWAP_PEAK, SPAN});
	EXPECT_CHANGES(&there, {CURRENT, SPAN}, {SPANS, SPAN}, {PEAK, SPAN}, {SWAP_PEAK, SPAN},
		       {PSWPIN, PAGES(SPAN)});
	span_put(a);
	cg_destroy(other);
	a = swapper_span(group, SPAN, 1);
}

/* With all else pinned there is no room for it; it stays where it is. */
Test(swap_in, refused, .init = make, .fini = end)
{
	struct numbers before;

	cr_assert(span_pin(b));
	cg_write(group, "memory.max", "508K");
	before = numbers_of(group);
	errno = 0;
	cr_expect_null(span_pin(a));
	cr_expect_eq(errno, ENOMEM);
	cr_expect(swapper_is_out(a));
	before.of[MAX_EVENTS] = numbers_of(group).of[MAX_EVENTS];
	EXPECT_CHANGES(&before, {OOM_EVENTS, 1});
	cr_expect_eq(swapper.reads, 0);
	cg_write(group, "memory.max", "512K");
	cr_expect(swapper_is_whole(a, 1));
	span_unpin(b);
}

/* What is pinned in a scope without limits passes them, and reclaims nothing. */
Test(swap_in, past_the_limit, .init = make, .fini = end)
{
	unsigned int flags;

	cg_write(group, "memory.max", "256K");
	flags = memalloc_noreclaim_save();
	cr_expect(swapper_is_whole(a, 1));
	memalloc_noreclaim_restore(flags);
	cr_expect_eq(cg_read_key(group, "memory.current", NULL), 2 * SPAN);
	cr_expect(!swapper_is_out(b));
}

static void fails(int error)
{
	struct numbers before = numbers_of(group);

	swapper.read_error = error;
	for (unsigned int i = 1; i < 4; i++) {
		errno = 0;
		cr_expect_null(span_pin(a));
		cr_expect_eq(errno, error);
		cr_expect_eq(swapper.reads, i);
	}
	cr_expect(swapper_is_out(a));
	EXPECT_CHANGES(&before, {PEAK, 0});
	swapper.read_error = 0;
	cr_expect(swapper_is_whole(a, 1));
	EXPECT_CHANGES(&before, {CURRENT, SPAN}, {SPANS, SPAN}, {SWAP, -(int64_t)SPAN},
		       {PSWPIN, PAGES(SPAN)}, {FILE_BYTES, -(int64_t)SPAN});
}

Test(swap_in, read_error, .init = make, .fini = end)
{
	fails(EIO);
}

Test(swap_in, no_memory_to_read, .init = make, .fini = end)
{
	fails(ENOMEM);
}

/* Nobody can say what is in it any more; it may still be given up. */
Test(swap_in, never_to_be_read_again, .init = make)
{
	struct numbers before = numbers_of(group);

	swapper.read_error = EIO;
	cr_expect_null(span_pin(a));
	span_put(a);
	EXPECT_CHANGES(&before, {SWAP, -(int64_t)SPAN}, {FILE_BYTES, -(int64_t)SPAN});
	span_put(b);
	cg_destroy(group);
	swapper_end();
}

Test(swap_in, errno_is_kept, .init = make, .fini = end)
{
	errno = 7;
	cr_expect(swapper_is_whole(a, 1));
	cr_expect_eq(errno, 7);
	cg_write(group, "memory.max", "256K");
	errno = 7;
	cr_expect(swapper_is_whole(b, 2));
	cr_expect(swapper_is_whole(a, 1));
	cr_expect_eq(errno, 7);
}

/* ---- Several at once ------------------------------------------------------------- */

#define THREADS 8

static void *pin_and_look(void *arg)
{
	bool whole = true;

	(void)arg;
	for (int i = 0; i < 50; i++)
		whole &= swapper_is_whole(a, 1);
	return (void *)(uintptr_t)whole;
}

/* All have it back, and it was charged once. */
Test(swap_in, by_many, .init = make, .fini = end)
{
	struct numbers before = numbers_of(group);
	pthread_t threads[THREADS];
	void *whole;

	for (int i = 0; i < THREADS; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, pin_and_look, NULL), 0);
	for (int i = 0; i < THREADS; i++) {
		cr_assert_eq(pthread_join(threads[i], &whole), 0);
		cr_expect(whole);
	}
	cr_expect_eq(swapper.reads, 1);
	EXPECT_CHANGES(&before, {CURRENT, SPAN}, {SPANS, SPAN}, {SWAP, -(int64_t)SPAN},
		       {PSWPIN, PAGES(SPAN)}, {FILE_BYTES, -(int64_t)SPAN});
}

static void *take_turns(void *arg)
{
	bool whole = true;

	for (int i = 0; i < 200; i++)
		whole &= swapper_is_whole(arg, arg == a ? 1 : 2);
	return (void *)(uintptr_t)whole;
}

/* There is room for one only: each drives out the other, or waits, or is refused. */
Test(swap_in, in_turns, .init = make, .fini = end)
{
	pthread_t thread;
	void *whole;

	cg_write(group, "memory.max", "512K");
	cr_assert_eq(pthread_create(&thread, NULL, take_turns, a), 0);
	for (int i = 0; i < 200; i++)
		swapper_reclaim(group, SPAN);
	cr_assert_eq(pthread_join(thread, &whole), 0);
	cr_expect(whole);
	cr_expect(swapper_is_whole(a, 1));
	cr_expect(swapper_is_whole(b, 2));
	cr_expect_eq(mem_cgroup_verify(mem_cgroup_root(), NULL), 0);
}
