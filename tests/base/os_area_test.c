/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "alloc/base/os.h"

#define SIZE  (1ul << 40)
#define LEAST (64ul << 20)

/* Not below what the program has already, sanitizers included. */
static void limit_address_space(size_t more)
{
	struct rlimit limit;
	unsigned long pages = 0;
	FILE *statm = fopen("/proc/self/statm", "r");

	cr_assert_not_null(statm);
	cr_assert_eq(fscanf(statm, "%lu", &pages), 1);
	fclose(statm);
	limit.rlim_cur = limit.rlim_max = pages * os_page_size() + more;
	cr_assert_eq(setrlimit(RLIMIT_AS, &limit), 0);
}

static void expect_grows(struct os_area *area)
{
	for (size_t size = 4096; size <= 8ul << 20; size = size * 3 / 2) {
		size_t old = area->committed;

		errno = 4711;
		cr_assert_eq(os_area_commit(area, size), 0);
		cr_expect_eq(errno, 4711);
		cr_assert_geq(area->committed, size);
		for (size_t i = old; i < area->committed; i += 512)
			cr_assert_eq(area->base[i], 0);
		memset(area->base + old, 1, area->committed - old);
	}
	for (size_t i = 0; i < area->committed; i += 512)
		cr_assert_eq(area->base[i], 1, "what was there stays");
	cr_expect_eq(os_area_commit(area, 1), 0, "no less than there is");
	cr_expect_geq(area->committed, 4ul << 20);
}

Test(os_area, is_one_reservation)
{
	struct os_area area;

	errno = 4711;
	cr_assert_eq(os_area_init(&area, SIZE, LEAST), 0);
	cr_expect_eq(errno, 4711);
	cr_expect(area.whole);
	cr_expect_eq(area.reserved, SIZE);
	cr_expect_eq(area.committed, 0);
	expect_grows(&area);
	cr_expect_eq(os_area_commit(&area, SIZE + 1), -ENOMEM);
}

Test(os_area, gets_by_with_less)
{
	struct os_area area;

	/* More than there is: half of it, or half of that, and so on. */
	cr_assert_eq(os_area_init(&area, 1ul << 50, LEAST), 0);
	cr_expect_geq(area.reserved, LEAST);
	expect_grows(&area);
}

Test(os_area, under_a_limit_takes_what_it_uses)
{
	struct os_area area, other;
	size_t committed;

	limit_address_space(40ul << 20);
	cr_assert_eq(os_area_init(&area, SIZE, LEAST), 0);
	cr_assert_eq(os_area_init(&other, SIZE, LEAST), 0);
	expect_grows(&area);
	expect_grows(&other);
	committed = area.committed;
	errno = 4711;
	cr_expect_eq(os_area_commit(&area, 1ul << 30), -ENOMEM);
	cr_expect_eq(errno, 4711);
	cr_expect_eq(area.committed, committed);
	cr_expect_eq(os_area_commit(&area, committed + 4096), 0, "less can be had");
}

Test(os_area, purged_pages_read_as_zero)
{
	struct os_area area;

	cr_assert_eq(os_area_init(&area, SIZE, LEAST), 0);
	cr_assert_eq(os_area_commit(&area, 1ul << 20), 0);
	memset(area.base, 1, 1ul << 20);
	os_purge(area.base + 4096, 8192);
	cr_expect_eq(area.base[4095], 1);
	for (size_t i = 4096; i < 4096 + 8192; i++)
		cr_assert_eq(area.base[i], 0);
	cr_expect_eq(area.base[4096 + 8192], 1);
}

/* The kernel does not take locked pages back; they are cleared by hand. */
Test(os_area, purged_locked_pages_read_as_zero)
{
	struct os_area area;

	cr_assert_eq(os_area_init(&area, SIZE, LEAST), 0);
	cr_assert_eq(os_area_commit(&area, 1ul << 20), 0);
	memset(area.base, 1, 16384);
	if (mlock(area.base, 16384))
		cr_skip_test("no memory may be locked");
	os_purge(area.base, 16384);
	for (size_t i = 0; i < 16384; i++)
		cr_assert_eq(area.base[i], 0);
}
