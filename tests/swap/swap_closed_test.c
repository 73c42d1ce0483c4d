/* SPDX-License-Identifier: MIT */
/*
 * Programs that close every descriptor, and get the numbers for files of theirs.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/swap/area.h"

TestSuite(swap_closed, .init = area_begin, .fini = area_end);

Test(swap_closed, what_is_lost_is_an_error_and_the_rest_goes_on)
{
	struct swap_slot slots[3] = {0};
	char byte;

	cr_assert_eq(slot_fill(&slots[0], MB, 0), 0);
	cr_assert_eq(slot_fill(&slots[1], MB, 1), 0);
	cr_assert_eq(close_range(1000, ~0u, 0), 0);
	cr_assert_eq(slot_fill(&slots[2], MB, 2), 0);
	cr_assert_eq(swap_slot_read(&slots[0], &byte, 1), -EBADF);
	cr_assert_eq(swap_slot_wipe(&slots[1]), -EBADF);
	cr_assert(slot_holds(&slots[2], MB, 2));
	cr_assert_eq(area_disk_bytes(), MB);
	swap_slot_free(&slots[0]);
	swap_slot_free(&slots[1]);
	cr_assert_eq(area_stats().files, 1u);
	cr_assert_eq(area_stats().held, MB);
	swap_slot_free(&slots[2]);
	cr_assert_eq(area_stats().files, 0u);
}

Test(swap_closed, a_file_of_the_programs_is_not_touched)
{
	struct swap_slot slots[3] = {0};
	char name[] = "/tmp/cgslab_swap_other.XXXXXX", byte;
	int other = mkstemp(name), fd;

	cr_assert_eq(slot_fill(&slots[0], MB, 0), 0);
	cr_assert_eq(slot_fill(&slots[1], MB, 1), 0);
	cr_assert_eq(unlink(name), 0);
	cr_assert_eq(ftruncate(other, 4 * MB), 0);
	cr_assert_eq(pwrite(other, "x", 1, MB / 2), 1);
	fd = area_fd(0);
	cr_assert_eq(dup2(other, fd), fd);
	swap_slot_free(&slots[0]);
	cr_assert_eq(swap_slot_read(&slots[1], &byte, 1), -EBADF);
	cr_assert_eq(swap_slot_wipe(&slots[1]), -EBADF);
	cr_assert_eq(slot_fill(&slots[2], MB, 2), 0);
	swap_slot_free(&slots[1]);
	cr_assert_eq(pread(fd, &byte, 1, MB / 2), 1, "nor is it closed");
	cr_assert_eq(byte, 'x', "no hole, no zeros");
	cr_assert_eq(pread(fd, &byte, 1, MB), 1);
	cr_assert_eq(byte, 0, "nothing was written there");
	cr_assert(slot_holds(&slots[2], MB, 2));
	swap_slot_free(&slots[2]);
	close(fd);
	close(other);
}

Test(swap_closed, the_directory_is_found_by_name)
{
	struct swap_slot slot = {0};

	cr_assert_eq(close_range(1000, ~0u, 0), 0);
	cr_assert_eq(slot_fill(&slot, 4096, 0), 0);
	cr_assert(area_fd(0) >= 0);
	swap_slot_free(&slot);
	cr_assert_eq(rmdir(area_dir()), 0);
	cr_assert_eq(slot_fill(&slot, 4096, 0), -ENOENT);
	cr_assert_eq(mkdir(area_dir(), 0700), 0);
}

Test(swap_closed, a_program_may_change_its_root)
{
	struct swap_slot slot = {0};
	int root = open("/", O_PATH);

	if (chroot("/proc"))
		cr_skip_test("not allowed here");
	cr_assert_eq(slot_fill(&slot, 4096, 0), 0);
	cr_assert(slot_holds(&slot, 4096, 0));
	swap_slot_free(&slot);
	cr_assert_eq(fchdir(root), 0);
	cr_assert_eq(chroot("."), 0);
}
