/* SPDX-License-Identifier: MIT */
/* Spans that are compressed, with all that is counted, before and after. */
#include <criterion/criterion.h>
#include <errno.h>

#include "alloc/slab/span.h"
#include "alloc/swap/swap_io.h"
#include "shrinker/zswap.h"
#include "tests/shrinker/cg.h"
#include "tests/shrinker/swapper.h"

static struct mem_cgroup *group;
static struct span *span;

/* As swapper_fill(), but each word is there many times. */
static void fill(struct span *filled, unsigned int seed)
{
	uint64_t *words = span_pin(filled);

	cr_assert(words);
	for (size_t i = 0; i < span_size(filled) / sizeof(*words); i++)
		words[i] = (i / 32 + 1) * 0x9e3779b97f4a7c15ull + seed;
	span_unpin(filled);
}

static bool is_whole(struct span *filled, unsigned int seed)
{
	uint64_t *words = span_pin(filled);
	bool whole = true;

	if (!words)
		return false;
	for (size_t i = 0; i < span_size(filled) / sizeof(*words); i++)
		whole &= words[i] == (i / 32 + 1) * 0x9e3779b97f4a7c15ull + seed;
	span_unpin(filled);
	return whole;
}

static struct span *make_span(size_t bytes, unsigned int seed)
{
	struct span *made = swapper_span(group, bytes, seed);

	fill(made, seed);
	return made;
}

static void begin(void)
{
	swapper_begin();
	cr_assert_eq(zswap_switch(true), 0);
	group = cg_create(NULL, "group");
	span = make_span(SPAN, 1);
}

static void end(void)
{
	span_put(span);
	cr_expect_eq(swapper_number(group, ZSWAP), 0);
	cr_expect_eq(swapper_number(group, ZSWAPPED), 0);
	cr_expect_eq(swapper_number(group, SWAP), 0);
	cr_expect_eq(swapper_number(group, FILE_BYTES), 0);
	cg_destroy(group);
	swapper_end();
}

TestSuite(zswap, .init = begin, .fini = end);

/* Out with it. */
static void swap_out_now(struct span *of)
{
	struct slab *slab = span_slab(of);

	cr_assert_eq(span_isolate(slab), 0);
	swap_lru_del(slab);
	cr_assert_eq(swap_out(slab), 0);
	span_putback(slab);
}

/* What is charged for it while it is packed. */
static int64_t packed(struct span *of)
{
	return (int64_t)span_slab(of)->packed << 12;
}

Test(zswap, is_charged_for_what_it_takes)
{
	struct numbers before = numbers_of(group);
	int64_t bytes;

	cr_assert(swapper_reclaim(group, SPAN / 2));
	cr_assert(swapper_is_out(span));
	bytes = packed(span);
	cr_expect(bytes > 0 && bytes < (int64_t)SPAN / 8, "%ld", bytes);
	EXPECT_CHANGES(&before, {CURRENT, bytes - (int64_t)SPAN}, {SPANS, bytes - (int64_t)SPAN},
		       {SWAP, SPAN}, {SWAP_PEAK, SPAN}, {ZSWAP, bytes}, {ZSWAPPED, SPAN},
		       {ZSWPOUT, PAGES(SPAN)});
	cr_expect(is_whole(span, 1));
	EXPECT_CHANGES(&before, {SWAP_PEAK, SPAN}, {ZSWPOUT, PAGES(SPAN)}, {ZSWPIN, PAGES(SPAN)},
		       {PEAK, bytes});
	cr_expect_eq(swapper.writes, 0u);
}

Test(zswap, what_does_not_pack_goes_to_the_file)
{
	struct numbers before = numbers_of(group);

	swapper_fill(span, 5);
	cr_assert(swapper_reclaim(group, SPAN));
	EXPECT_CHANGES(&before, {CURRENT, -(int64_t)SPAN}, {SPANS, -(int64_t)SPAN}, {SWAP, SPAN},
		       {SWAP_PEAK, SPAN}, {PSWPOUT, PAGES(SPAN)}, {FILE_BYTES, SPAN});
	cr_expect(swapper_is_whole(span, 5));
}

Test(zswap, a_part_that_does_not_pack_is_kept_as_it_is)
{
	struct span *mixed = swapper_span(group, 4 * SPAN, 7);
	uint64_t *words = span_pin(mixed), wanted;
	size_t half = 2 * SPAN / sizeof(*words);

	for (size_t i = 0; i < half; i++)
		words[i] = i / 100;
	wanted = words[half + 1];
	span_unpin(mixed);
	cr_assert(swapper_reclaim(group, 2 * SPAN));
	cr_assert(swapper_is_out(mixed));
	cr_expect(packed(mixed) > 2 * (int64_t)SPAN && packed(mixed) < 3 * (int64_t)SPAN);
	words = span_pin(mixed);
	for (size_t i = 0; i < half; i++)
		cr_assert_eq(words[i], i / 100);
	cr_expect_eq(words[half + 1], wanted);
	for (size_t i = half; i < 2 * half; i++)
		cr_assert_eq(words[i], (i + 1) * 0x9e3779b97f4a7c15ull + 7);
	span_unpin(mixed);
	span_put(mixed);
}

Test(zswap, any_size)
{
	const size_t sizes[] = {KIB(4), KIB(8), KIB(12), KIB(60), KIB(132), KIB(1028), KIB(4096)};

	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct span *other = make_span(sizes[i], i);

		for (int round = 0; round < 3; round++) {
			swap_out_now(other);
			cr_expect(swapper_is_out(other));
			/* Of one page nothing can be saved. */
			cr_expect_eq(packed(other) > 0, sizes[i] > KIB(4));
			cr_expect(packed(other) <= (int64_t)sizes[i] / 4 * 3);
			cr_expect(is_whole(other, i));
		}
		span_put(other);
	}
}

Test(zswap, no_more_than_zswap_max)
{
	struct numbers before = numbers_of(group);

	cr_assert_eq(mem_cgroup_set_zswap_max(group, 0), 0);
	cr_assert(swapper_reclaim(group, SPAN));
	EXPECT_CHANGES(&before, {CURRENT, -(int64_t)SPAN}, {SPANS, -(int64_t)SPAN}, {SWAP, SPAN},
		       {SWAP_PEAK, SPAN}, {PSWPOUT, PAGES(SPAN)}, {FILE_BYTES, SPAN});
	cr_expect(is_whole(span, 1));
	cr_assert_eq(mem_cgroup_set_zswap_max(group, KIB(256)), 0);
	cr_assert(swapper_reclaim(group, SPAN / 2));
	cr_expect_gt(packed(span), 0);
}

Test(zswap, off_is_as_without)
{
	struct numbers before;

	cr_assert(swapper_reclaim(group, SPAN / 2));
	cr_assert_eq(zswap_switch(false), 0);
	cr_expect(is_whole(span, 1), "what is packed stays so");
	before = numbers_of(group);
	cr_assert(swapper_reclaim(group, SPAN));
	EXPECT_CHANGES(&before, {CURRENT, -(int64_t)SPAN}, {SPANS, -(int64_t)SPAN}, {SWAP, SPAN},
		       {PSWPOUT, PAGES(SPAN)}, {FILE_BYTES, SPAN});
}

Test(zswap, goes_on_to_the_file)
{
	struct numbers before = numbers_of(group);
	int64_t bytes, length;

	cr_assert(swapper_reclaim(group, SPAN / 2));
	bytes = packed(span);
	cr_assert(swapper_reclaim(group, 4096));
	cr_expect_eq(packed(span), 0);
	length = swapper_number(group, FILE_BYTES);
	cr_expect(length > 0 && length <= bytes && length > bytes - 4096);
	EXPECT_CHANGES(&before, {CURRENT, -(int64_t)SPAN}, {SPANS, -(int64_t)SPAN}, {SWAP, SPAN},
		       {SWAP_PEAK, SPAN}, {ZSWPOUT, PAGES(SPAN)}, {ZSWPWB, PAGES(SPAN)},
		       {PSWPOUT, PAGES(SPAN)}, {FILE_BYTES, length});
	cr_expect(is_whole(span, 1));
	EXPECT_CHANGES(&before, {SWAP_PEAK, SPAN}, {ZSWPOUT, PAGES(SPAN)}, {ZSWPWB, PAGES(SPAN)},
		       {PSWPOUT, PAGES(SPAN)}, {PSWPIN, PAGES(SPAN)});
}

Test(zswap, the_first_that_was_packed_goes_on_first)
{
	struct span *others[4];
	struct numbers before;

	swap_out_now(span);
	for (unsigned int i = 0; i < 4; i++) {
		others[i] = make_span(SPAN, i);
		swap_out_now(others[i]);
		cr_assert(packed(others[i]));
	}
	cr_expect(is_whole(others[0], 0));
	cr_assert(span_pin(others[0]));
	before = numbers_of(group);
	cr_assert(swapper_reclaim(group, 4096));
	cr_expect(!packed(span) && packed(others[1]) && packed(others[2]) && packed(others[3]));
	cr_assert(swapper_reclaim(group, 4096));
	cr_expect(!packed(others[1]) && packed(others[2]) && packed(others[3]));
	cr_expect_eq(swapper_number(group, ZSWPWB) - before.of[ZSWPWB], PAGES(2 * SPAN));
	span_unpin(others[0]);
	for (unsigned int i = 0; i < 4; i++) {
		cr_expect(is_whole(others[i], i));
		span_put(others[i]);
	}
}

Test(zswap, stays_packed_if_it_cannot_be_written)
{
	struct numbers before;

	cr_assert(swapper_reclaim(group, SPAN / 2));
	before = numbers_of(group);
	swapper.write_error = EIO;
	cr_expect(!swapper_reclaim(group, 4096));
	swapper.write_error = 0;
	before.of[SWAP_FAIL_EVENTS] = swapper_number(group, SWAP_FAIL_EVENTS);
	cr_expect_gt(before.of[SWAP_FAIL_EVENTS], 0);
	EXPECT_NO_CHANGE(&before);
	cr_expect_gt(packed(span), 0);
	cr_expect(swapper_reclaim(group, 4096), "nor has it left its list");
	cr_expect(is_whole(span, 1));
}

Test(zswap, keeps_what_cannot_be_read)
{
	struct numbers before;

	cr_assert(swapper_reclaim(group, SPAN / 2));
	cr_assert(swapper_reclaim(group, 4096));
	before = numbers_of(group);
	swapper.read_error = EIO;
	errno = 0;
	cr_expect(!span_pin(span));
	cr_expect_eq(errno, EIO);
	swapper.read_error = 0;
	before.of[PEAK] = swapper_number(group, PEAK);
	EXPECT_NO_CHANGE(&before);
	cr_expect(is_whole(span, 1));
}

static ssize_t (*real_pread)(int fd, void *data, size_t bytes, off_t offset);

static ssize_t broken_pread(int fd, void *data, size_t bytes, off_t offset)
{
	ssize_t done = real_pread(fd, data, bytes, offset);

	for (ssize_t i = 0; i < done; i++)
		((char *)data)[i] = (char)~((char *)data)[i];
	return done;
}

Test(zswap, knows_what_it_did_not_write)
{
	cr_assert(swapper_reclaim(group, SPAN / 2));
	cr_assert(swapper_reclaim(group, 4096));
	real_pread = swap_io.pread;
	swap_io.pread = broken_pread;
	errno = 0;
	cr_expect(!span_pin(span));
	cr_expect_eq(errno, EIO);
	swap_io.pread = real_pread;
	cr_expect(is_whole(span, 1));
}

/* The group has room for three, and six are in use. */
Test(zswap, works_at_the_limit)
{
	struct span *others[6];

	cr_assert_eq(mem_cgroup_set_max(group, 4 * SPAN), 0);
	for (unsigned int i = 0; i < 6; i++)
		others[i] = make_span(SPAN, i);
	for (unsigned int i = 0; i < 300; i++) {
		cr_assert(is_whole(others[i * 7 % 6], i * 7 % 6));
		fill(others[i * 7 % 6], i * 7 % 6);
	}
	cr_expect_leq(swapper_number(group, PEAK), 4 * (int64_t)SPAN);
	cr_expect_gt(swapper_number(group, ZSWPOUT), 0);
	for (unsigned int i = 0; i < 6; i++)
		span_put(others[i]);
}

/* What is packed does not fill a group up. */
Test(zswap, makes_room_by_the_file)
{
	enum { MANY = 64 };
	struct span *others[MANY];

	cr_assert_eq(mem_cgroup_set_max(group, 2 * SPAN), 0);
	for (unsigned int i = 0; i < MANY; i++)
		others[i] = make_span(SPAN, i);
	cr_expect_gt(swapper_number(group, ZSWPWB), 0);
	cr_expect_leq(swapper_number(group, PEAK), 2 * (int64_t)SPAN);
	for (unsigned int i = 0; i < MANY; i++) {
		cr_assert(is_whole(others[i], i));
		span_put(others[i]);
	}
}

/* What is packed well is worth little more if it is written. */
Test(zswap, packs_more_than_it_writes)
{
	enum { MANY = 32 };
	struct span *others[MANY];
	int64_t out;

	for (unsigned int i = 0; i < MANY; i++)
		others[i] = make_span(SPAN, i);
	cr_expect(swapper_reclaim(group, 3 * MANY / 4 * SPAN));
	out = swapper_number(group, ZSWPOUT);
	cr_expect_geq(out, PAGES(3 * MANY / 4 * SPAN));
	cr_expect_leq(swapper_number(group, ZSWPWB), out / 4, "%ld of %ld",
		      swapper_number(group, ZSWPWB), out);
	for (unsigned int i = 0; i < MANY; i++) {
		cr_assert(is_whole(others[i], i));
		span_put(others[i]);
	}
}
