/* SPDX-License-Identifier: MIT */
#include "shrinker/lz4.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MOST (1ul << 20)

static char *data, *packed, *back;
static void *work;

static void begin(void)
{
	cr_assert_eq(lz4_load(), 0);
	cr_assert_eq(lz4_load(), 0);
	data = malloc(MOST);
	packed = malloc(MOST);
	back = malloc(MOST);
	work = malloc(lz4_work_bytes());
}

static void end(void)
{
	free(data);
	free(packed);
	free(back);
	free(work);
}

TestSuite(lz4, .init = begin, .fini = end);

/* Each word @often times. */
static void fill(size_t from, size_t to, size_t often)
{
	uint64_t word = 1;

	for (size_t i = from; i < to; i++) {
		if (i % (8 * often) == 0)
			word = word * 6364136223846793005ull + 1442695040888963407ull;
		data[i] = (char)(word >> (i % 8 * 8));
	}
}

static bool never(const void *arg)
{
	(void)arg;
	return false;
}

static size_t pack(size_t bytes, size_t room)
{
	return lz4_pack(data, bytes, packed, room, work, never, NULL);
}

static void expect_same(size_t length, size_t bytes)
{
	memset(back, 0, bytes);
	cr_expect_eq(lz4_unpack(packed, length, back, bytes), 0);
	cr_expect(!memcmp(data, back, bytes), "%zu bytes", bytes);
}

Test(lz4, unpacks_what_was_packed)
{
	fill(0, MOST, 16);
	for (size_t bytes = 4096; bytes <= MOST; bytes = bytes * 3 / 2) {
		size_t length = pack(bytes, bytes / 4 * 3);

		cr_expect(length && length < bytes / 4, "%zu of %zu", length, bytes);
		expect_same(length, bytes);
	}
}

Test(lz4, packs_what_can_be_packed)
{
	size_t length;

	fill(0, MOST, 16);
	fill(MOST / 2, MOST, 1);
	length = pack(MOST, MOST / 4 * 3);
	cr_expect(length > MOST / 2 && length < MOST / 4 * 3);
	expect_same(length, MOST);
	/* With no byte to spare, and with one too few. */
	cr_expect_eq(pack(MOST, length), length);
	expect_same(length, MOST);
	cr_expect_eq(pack(MOST, length - 1), 0u);
}

Test(lz4, gives_up_early)
{
	fill(0, MOST, 16);
	fill(0, MOST / 8, 1);
	memset(packed, 0, MOST);
	cr_expect_eq(pack(MOST, MOST / 4 * 3), 0u);
	for (size_t i = MOST / 4; i < MOST; i++)
		cr_assert_eq(packed[i], 0);
}

static unsigned int chunks;

static bool at_the_third(const void *arg)
{
	(void)arg;
	return ++chunks == 3;
}

Test(lz4, stops_between_two_chunks)
{
	fill(0, MOST, 16);
	cr_expect_eq(lz4_pack(data, MOST, packed, MOST / 2, work, at_the_third, NULL), 0u);
	cr_expect_eq(chunks, 3u);
}

Test(lz4, knows_what_it_did_not_pack)
{
	size_t length;

	fill(0, MOST, 16);
	length = pack(MOST, MOST / 2);
	for (size_t less = 0; less < length; less += 97)
		cr_expect_eq(lz4_unpack(packed, less, back, MOST), -EIO);
	cr_expect_eq(lz4_unpack(packed, length + 1, back, MOST), -EIO);
	cr_expect_eq(lz4_unpack(packed, length, back, MOST / 2), -EIO);
	/* Whatever is in it, no more is written than there is room for. */
	for (size_t at = 0; at < length; at += 101) {
		packed[at] = (char)~packed[at];
		lz4_unpack(packed, length, back, MOST);
		packed[at] = (char)~packed[at];
	}
	memset(packed, 0xff, length);
	cr_expect_eq(lz4_unpack(packed, length, back, MOST), -EIO);
	memset(packed, 0, length);
	cr_expect_eq(lz4_unpack(packed, length, back, MOST), -EIO);
}
