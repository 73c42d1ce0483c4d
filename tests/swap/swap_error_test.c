/* SPDX-License-Identifier: MIT */
/*
 * Disks that are full, broken, slow, or simple.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alloc/swap/swap_io.h"
#include "tests/swap/area.h"

static struct swap_io real;
static int countdown; /* calls until one fails */
static int error;     /* with this */
static size_t most;   /* bytes of a call */
static unsigned int calls;

static void begin(void)
{
	real = swap_io;
	area_begin();
}

static void end(void)
{
	cr_assert_eq(area_stats().held, 0u);
	cr_assert_eq(area_stats().files, 0u);
	area_end();
}

TestSuite(swap_error, .init = begin, .fini = end);

static bool fails(void)
{
	if (countdown == 0 || --countdown)
		return false;
	errno = error;
	return true;
}

static ssize_t bad_pwrite(int fd, const void *data, size_t bytes, off_t offset)
{
	return fails() ? -1 : real.pwrite(fd, data, bytes < most ? bytes : most, offset);
}

static ssize_t bad_pread(int fd, void *data, size_t bytes, off_t offset)
{
	return fails() ? -1 : real.pread(fd, data, bytes < most ? bytes : most, offset);
}

static int bad_openat(int at, const char *name, int flags, mode_t mode)
{
	return fails() ? -1 : real.openat(at, name, flags, mode);
}

static int bad_fallocate(int fd, int mode, off_t offset, off_t bytes)
{
	return fails() ? -1 : real.fallocate(fd, mode, offset, bytes);
}

static void be_bad(int nth, int with, size_t most_bytes)
{
	countdown = nth;
	error = with;
	most = most_bytes;
	swap_io = (struct swap_io){bad_openat, bad_pwrite, bad_pread, bad_fallocate};
}

Test(swap_error, a_write_that_fails_leaves_nothing_behind)
{
	struct swap_slot slots[2] = {0};
	static const int errors[] = {ENOSPC, EIO, EDQUOT};

	cr_assert_eq(slot_fill(&slots[0], MB, 0), 0);
	for (int i = 0; i < 3; i++) {
		/* The third call: a part is written before. */
		be_bad(1 + i, errors[i], 100 * KB);
		cr_assert_eq(slot_fill(&slots[1], MB, 1), -errors[i]);
		cr_assert_eq(area_stats().slots, 1u);
		cr_assert_eq(area_stats().held, MB);
		cr_assert_eq(area_disk_bytes(), MB);
	}
	cr_assert_eq(slot_fill(&slots[1], MB, 1), 0);
	cr_assert(slot_holds(&slots[0], MB, 0));
	cr_assert(slot_holds(&slots[1], MB, 1));
	swap_slot_free(&slots[0]);
	swap_slot_free(&slots[1]);
}

/* By all, or by this user. */
Test(swap_error, spare_room_goes_before_the_disk_is_full)
{
	static const int errors[] = {ENOSPC, EDQUOT};
	struct swap_slot slots[3] = {0};

	cr_assert_eq(slot_fill(&slots[0], MB, 0), 0);
	for (int i = 0; i < 2; i++) {
		be_bad(0, 0, 4 * MB);
		cr_assert_eq(slot_fill(&slots[1], MB, 1), 0);
		swap_slot_free(&slots[1]);
		cr_assert_eq(area_stats().spare, MB);
		be_bad(1, errors[i], 4 * MB);
		cr_expect_eq(slot_fill(&slots[2], 2 * MB, 2), 0);
		cr_expect_eq(area_stats().spare, 0u);
		cr_expect_eq(area_disk_bytes(), 3 * MB);
		swap_slot_free(&slots[2]);
		swap_area_trim();
	}
	swap_slot_free(&slots[0]);
}

Test(swap_error, the_first_write_may_fail)
{
	struct swap_slot slot = {0};

	be_bad(2, EIO, 4096);
	cr_assert_eq(slot_fill(&slot, MB, 0), -EIO);
	cr_assert_eq(area_fd(0), -1);
}

Test(swap_error, calls_may_do_a_part_or_be_interrupted)
{
	struct swap_slot slot = {0};

	be_bad(5, EINTR, 999);
	cr_assert_eq(slot_fill(&slot, 100 * KB, 0), 0);
	be_bad(5, EINTR, 999);
	cr_assert(slot_holds(&slot, 100 * KB, 0));
	be_bad(1, EINTR, 999);
	swap_slot_free(&slot);
}

Test(swap_error, a_call_that_does_nothing_is_an_error)
{
	struct swap_slot slot = {0};
	char data[10];

	be_bad(0, 0, 0);
	cr_assert_eq(slot_fill(&slot, 10, 0), -EIO);
	be_bad(0, 0, 10);
	cr_assert_eq(slot_fill(&slot, 10, 0), 0);
	be_bad(0, 0, 0);
	cr_assert_eq(swap_slot_read(&slot, data, 10), -EIO);
	swap_slot_free(&slot);
}

Test(swap_error, a_read_that_fails_leaves_the_slot)
{
	struct swap_slot slot = {0};
	char data[4096];

	cr_assert_eq(slot_fill(&slot, 4096, 3), 0);
	be_bad(2, EIO, 1000);
	cr_assert_eq(swap_slot_read(&slot, data, 4096), -EIO);
	be_bad(1, ENOMEM, 1000);
	cr_assert_eq(swap_slot_read(&slot, data, 4096), -ENOMEM);
	cr_assert(slot_holds(&slot, 4096, 3));
	swap_slot_free(&slot);
}

/* Who pins a span would try for ever. */
Test(swap_error, a_disk_that_asks_to_try_again_is_an_error)
{
	struct swap_slot slot = {0};
	char data[4096];

	be_bad(2, EAGAIN, 4096);
	cr_assert_eq(slot_fill(&slot, 4096, 3), -EIO);
	be_bad(0, 0, 4096);
	cr_assert_eq(slot_fill(&slot, 4096, 3), 0);
	be_bad(1, EAGAIN, 4096);
	cr_assert_eq(swap_slot_read(&slot, data, 4096), -EIO);
	cr_assert(slot_holds(&slot, 4096, 3));
	swap_slot_free(&slot);
}

Test(swap_error, a_file_that_somebody_cut_is_an_error)
{
	struct swap_slot slot = {0};
	char data[4096];

	cr_assert_eq(slot_fill(&slot, 4096, 3), 0);
	cr_assert_eq(ftruncate(area_fd(0), 100), 0);
	cr_assert_eq(swap_slot_read(&slot, data, 4096), -EIO);
	swap_slot_free(&slot);
}

static int no_fallocate(int fd, int mode, off_t offset, off_t bytes)
{
	(void)fd;
	(void)mode;
	(void)offset;
	(void)bytes;
	calls++;
	errno = EOPNOTSUPP;
	return -1;
}

Test(swap_error, room_is_used_again_where_it_cannot_be_given_back)
{
	struct swap_slot slots[4] = {0};

	swap_io.fallocate = no_fallocate;
	cr_assert_eq(swap_area_set(area_dir(), 3 * MB), 0);
	for (unsigned int i = 0; i < 3; i++)
		cr_assert_eq(slot_fill(&slots[i], MB, i), 0);
	for (unsigned int i = 0; i < 100; i++) {
		swap_slot_free(&slots[i % 3]);
		cr_assert_eq(area_stats().held, 3 * MB, "it is still on the disk");
		cr_assert_eq(slot_fill(&slots[3], 4 * KB, 3), -ENOSPC,
			     "nor is it of use for others");
		cr_assert_eq(slot_fill(&slots[i % 3], MB - 4096, i), 0);
	}
	cr_assert_eq(area_disk_bytes(), 3 * MB);
	cr_assert(calls >= 100);
	for (unsigned int i = 0; i < 3; i++)
		swap_slot_free(&slots[i]);
	/* The file is closed, and all is given back. */
}

Test(swap_error, a_file_may_be_refused)
{
	struct swap_slot slot = {0};

	be_bad(1, EMFILE, SIZE_MAX);
	cr_assert_eq(slot_fill(&slot, 10, 0), -EMFILE);
	be_bad(1, EACCES, SIZE_MAX); /* the directory */
	cr_assert_eq(swap_area_set(area_dir(), 0), -EACCES);
	be_bad(2, EROFS, SIZE_MAX); /* a file in it */
	cr_assert_eq(swap_area_set(area_dir(), 0), -EROFS);
	be_bad(1, EINTR, SIZE_MAX);
	cr_assert_eq(slot_fill(&slot, 10, 0), 0, "the bound is the old one");
	swap_slot_free(&slot);
}

static int no_tmpfile(int at, const char *name, int flags, mode_t mode)
{
	if ((flags & O_TMPFILE) == O_TMPFILE) {
		errno = EOPNOTSUPP;
		return -1;
	}
	calls++;
	return real.openat(at, name, flags, mode);
}

Test(swap_error, a_file_may_need_a_name_for_a_moment)
{
	struct swap_slot slot = {0};

	swap_io.openat = no_tmpfile;
	cr_assert_eq(slot_fill(&slot, MB, 0), 0);
	cr_assert_eq(calls, 1u);
	cr_assert_eq(area_disk_bytes(), MB);
	cr_assert(slot_holds(&slot, MB, 0));
	cr_assert_eq(rmdir(area_dir()), 0, "the name is gone");
	cr_assert_eq(mkdir(area_dir(), 0700), 0);
	swap_slot_free(&slot);
}

Test(swap_error, the_limit_of_file_sizes_is_not_run_against)
{
	struct swap_slot slots[2] = {0};
	struct rlimit limit;

	/* Past it the kernel would send SIGXFSZ. */
	cr_assert_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = 3 * MB / 2;
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	cr_assert_eq(slot_fill(&slots[0], MB, 0), 0);
	cr_assert_eq(slot_fill(&slots[1], MB, 1), -EFBIG);
	cr_assert_eq(slot_fill(&slots[1], MB / 2, 1), 0);
	cr_assert(slot_holds(&slots[1], MB / 2, 1));
	swap_slot_free(&slots[0]);
	swap_slot_free(&slots[1]);
	limit.rlim_cur = limit.rlim_max;
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

Test(swap_error, nor_is_one_that_was_lowered_since)
{
	struct swap_slot slots[2] = {0};
	struct rlimit limit;

	cr_assert_eq(slot_fill(&slots[0], MB, 0), 0);
	cr_assert_eq(slot_fill(&slots[1], MB, 1), 0);
	cr_assert_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = 3 * MB / 2;
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	cr_expect_eq(swap_slot_wipe(&slots[0]), 0);
	cr_expect_eq(swap_slot_wipe(&slots[1]), -EFBIG);
	cr_expect(slot_holds(&slots[1], MB, 1));
	swap_slot_free(&slots[0]);
	swap_slot_free(&slots[1]);
	limit.rlim_cur = limit.rlim_max;
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}
