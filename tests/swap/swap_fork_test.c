/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "alloc/swap/swap_io.h"
#include "tests/swap/area.h"

#define SLOTS 8

static struct swap_slot slots[40];
static struct swap_io real;

static void begin(void)
{
	real = swap_io;
	area_begin();
}

TestSuite(swap_fork, .init = begin, .fini = area_end);

static void fill_all(void)
{
	for (unsigned int i = 0; i < SLOTS; i++)
		cr_assert_eq(slot_fill(&slots[i], MB, i), 0);
}

static bool all_hold(void)
{
	for (unsigned int i = 0; i < SLOTS; i++)
		if (!slot_holds(&slots[i], MB, i))
			return false;
	return true;
}

static void free_all(void)
{
	for (unsigned int i = 0; i < sizeof(slots) / sizeof(slots[0]); i++)
		swap_slot_free(&slots[i]);
}

/* Writes where the parent's slots are, if it may. */
static int spoil(void *arg)
{
	(void)arg;
	if (!all_hold())
		return 1;
	for (unsigned int i = 0; i < SLOTS; i++) {
		if (swap_slot_wipe(&slots[i]) != -EBUSY)
			return 2;
		swap_slot_free(&slots[i]);
		if (slot_fill(&slots[i], MB, 100 + i))
			return 3;
	}
	for (unsigned int i = 0; i < SLOTS; i++)
		if (!slot_holds(&slots[i], MB, 100 + i))
			return 4;
	free_all();
	if (area_fd(0) >= 0 || area_stats().files || area_stats().held)
		return 5;
	return 0;
}

Test(swap_fork, the_child_does_not_touch_what_the_parent_has)
{
	fill_all();
	cr_assert_eq(in_child(spoil, NULL), 0);
	cr_assert(all_hold());
	cr_assert_eq(area_disk_bytes(), SLOTS * MB);
	free_all();
	cr_assert_eq(area_fd(0), -1);
	cr_assert_eq(area_stats().held, 0u);
}

/* The parent frees and writes first. */
static int look_afterwards(void *arg)
{
	int *pipe_fds = arg;
	char byte;

	if (read(pipe_fds[0], &byte, 1) != 1)
		return 1;
	if (!all_hold())
		return 2;
	free_all();
	return area_fd(0) >= 0 ? 3 : 0;
}

Test(swap_fork, the_parent_does_not_touch_what_the_child_has)
{
	int pipe_fds[2], status;
	pid_t pid;

	cr_assert_eq(pipe(pipe_fds), 0);
	fill_all();
	swap_fork_prepare();
	pid = fork();
	if (pid == 0) {
		swap_fork_child();
		_exit(look_afterwards(pipe_fds));
	}
	swap_fork_parent();
	for (unsigned int i = 0; i < SLOTS; i++) {
		swap_slot_free(&slots[i]);
		cr_assert_eq(slot_fill(&slots[i], MB, 200 + i), 0);
	}
	cr_assert_eq(area_stats().files, 1u, "the shared one has no slot left");
	cr_assert_eq(write(pipe_fds[1], "", 1), 1);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%d", status);
	for (unsigned int i = 0; i < SLOTS; i++)
		cr_assert(slot_holds(&slots[i], MB, 200 + i));
	free_all();
}

static int nothing(void *arg)
{
	(void)arg;
	return 0;
}

Test(swap_fork, a_file_that_is_mostly_waste_is_copied)
{
	fill_all();
	cr_assert_eq(in_child(nothing, NULL), 0);
	for (unsigned int i = 0; i < SLOTS / 2; i++)
		swap_slot_free(&slots[i]);
	swap_area_tidy();
	cr_assert_eq(area_stats().moved, 0u);
	cr_assert_eq(area_disk_bytes(), SLOTS * MB);
	swap_slot_free(&slots[4]);
	swap_area_tidy();
	cr_assert_eq(area_stats().moved, 3 * MB);
	cr_assert_eq(area_stats().files, 1u);
	cr_assert_eq(area_stats().held, 3 * MB);
	cr_assert_eq(area_disk_bytes(), 3 * MB);
	for (unsigned int i = 5; i < SLOTS; i++)
		cr_assert(slot_holds(&slots[i], MB, i));
	free_all();
	cr_assert_eq(area_fd(0), -1);
}

Test(swap_fork, many_forks_do_not_pile_up_files)
{
	unsigned int i;

	for (i = 0; i < 40; i++) {
		cr_assert_eq(slot_fill(&slots[i], 64 * KB, i), 0);
		swap_area_tidy();
		cr_assert(area_stats().files <= 16);
		cr_assert_eq(in_child(nothing, NULL), 0);
	}
	cr_assert_eq(area_fd(16), -1);
	for (i = 0; i < 40; i++)
		cr_assert(slot_holds(&slots[i], 64 * KB, i));
	free_all();
	cr_assert_eq(area_fd(0), -1);
}

Test(swap_fork, children_of_children_read_what_is_out)
{
	fill_all();
	for (int i = 0; i < 3; i++) {
		pid_t pid;
		int status;

		swap_fork_prepare();
		pid = fork();
		if (pid == 0) {
			swap_fork_child();
			swap_slot_free(&slots[i]);
			if (slot_fill(&slots[i], MB, (unsigned int)i))
				_exit(3);
			continue;
		}
		swap_fork_parent();
		cr_assert_eq(waitpid(pid, &status, 0), pid);
		if (!all_hold())
			status = 1;
		free_all();
		if (area_fd(0) >= 0)
			status = 1;
		if (i)
			_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 2);
		cr_assert_eq(status, 0);
		return;
	}
	_exit(all_hold() ? 0 : 1);
}

static bool comes(void)
{
	return true;
}

/* The file is kept then, but for nobody. */
static int has_none(void *arg)
{
	(void)arg;
	return area_stats().files || area_stats().held || area_fd(0) >= 0;
}

Test(swap_fork, closes_a_file_that_is_empty)
{
	swap_decay_comes = comes;
	fill_all();
	free_all();
	cr_assert_eq(area_stats().files, 1u);
	cr_assert_eq(in_child(has_none, NULL), 0);
	cr_assert_eq(has_none(NULL), 0);
}

static int move_fails;

static ssize_t failing_pread(int fd, void *data, size_t bytes, off_t offset)
{
	if (move_fails == EBADMSG) {
		errno = EBADMSG;
		return -1;
	}
	return real.pread(fd, data, bytes, offset);
}

static ssize_t failing_pwrite(int fd, const void *data, size_t bytes, off_t offset)
{
	if (move_fails == ENOSPC) {
		errno = ENOSPC;
		return -1;
	}
	return real.pwrite(fd, data, bytes, offset);
}

Test(swap_fork, a_copy_that_fails_leaves_the_slot)
{
	swap_io.pread = failing_pread;
	swap_io.pwrite = failing_pwrite;
	fill_all();
	cr_assert_eq(in_child(nothing, NULL), 0);
	for (unsigned int i = 0; i < 5; i++)
		swap_slot_free(&slots[i]);
	move_fails = ENOSPC;
	swap_area_tidy();
	cr_assert_eq(area_stats().files, 1u);
	move_fails = EBADMSG;
	swap_area_tidy();
	swap_area_tidy();
	cr_assert_eq(area_stats().files, 1u);
	cr_assert_eq(area_stats().moved, 0u);
	cr_assert_eq(area_stats().held, SLOTS * MB);
	move_fails = 0;
	for (unsigned int i = 5; i < SLOTS; i++)
		cr_assert(slot_holds(&slots[i], MB, i));
	free_all();
	cr_assert_eq(area_fd(0), -1);
}

/* In the middle of a copy its slot is read, and freed. */
static ssize_t freeing_pread(int fd, void *data, size_t bytes, off_t offset)
{
	swap_io.pread = real.pread;
	cr_assert(slot_holds(&slots[5], MB, 5));
	swap_slot_free(&slots[5]);
	cr_assert_eq(slot_fill(&slots[5], MB, 55), 0, "its memory is in use again");
	return real.pread(fd, data, bytes, offset);
}

Test(swap_fork, a_slot_may_be_freed_while_it_is_copied)
{
	fill_all();
	cr_assert_eq(in_child(nothing, NULL), 0);
	for (unsigned int i = 0; i < 5; i++)
		swap_slot_free(&slots[i]);
	swap_io.pread = freeing_pread;
	swap_area_tidy();
	cr_assert_eq(area_stats().moved, 2 * MB);
	cr_assert_eq(area_stats().held, 3 * MB);
	cr_assert_eq(area_stats().files, 1u);
	cr_assert(slot_holds(&slots[5], MB, 55));
	cr_assert(slot_holds(&slots[6], MB, 6));
	cr_assert(slot_holds(&slots[7], MB, 7));
	free_all();
	cr_assert_eq(area_fd(0), -1);
}

/* In the middle of a read all is copied. */
static ssize_t tidying_pread(int fd, void *data, size_t bytes, off_t offset)
{
	swap_io.pread = real.pread;
	swap_area_tidy();
	cr_assert_eq(area_stats().moved, 3 * MB);
	cr_assert_eq(area_stats().files, 2u, "the reader has it still");
	return real.pread(fd, data, bytes, offset);
}

Test(swap_fork, a_slot_may_be_copied_while_it_is_read)
{
	fill_all();
	cr_assert_eq(in_child(nothing, NULL), 0);
	for (unsigned int i = 0; i < 5; i++)
		swap_slot_free(&slots[i]);
	swap_io.pread = tidying_pread;
	cr_assert(slot_holds(&slots[6], MB, 6));
	cr_assert_eq(area_stats().files, 1u);
	cr_assert(slot_holds(&slots[6], MB, 6));
	free_all();
	cr_assert_eq(area_fd(0), -1);
}

/* The child is made in the middle of a copy, by another thread as it were. */
static ssize_t forking_pread(int fd, void *data, size_t bytes, off_t offset)
{
	swap_io.pread = real.pread;
	cr_assert_eq(in_child(spoil, NULL), 0);
	return real.pread(fd, data, bytes, offset);
}

Test(swap_fork, may_come_in_the_middle_of_a_copy)
{
	fill_all();
	cr_assert_eq(in_child(nothing, NULL), 0);
	for (unsigned int i = 8; i < 20; i++)
		cr_assert_eq(slot_fill(&slots[i], MB, i), 0);
	cr_assert_eq(in_child(nothing, NULL), 0);
	for (unsigned int i = 8; i < 19; i++)
		swap_slot_free(&slots[i]);
	swap_io.pread = forking_pread;
	swap_area_tidy();
	cr_assert_eq(area_stats().moved, MB);
	cr_assert(all_hold());
	cr_assert(slot_holds(&slots[19], MB, 19));
	free_all();
	cr_assert_eq(area_fd(0), -1);
}

static int lost_in_child(void)
{
	char byte;

	for (unsigned int i = 0; i < SLOTS; i++)
		if (swap_slot_read(&slots[i], &byte, 1) != -EBADF)
			return 1;
	for (unsigned int i = 0; i < SLOTS; i++) {
		swap_slot_free(&slots[i]);
		if (slot_fill(&slots[i], MB, 70 + i) || !slot_holds(&slots[i], MB, 70 + i))
			return 2;
	}
	return area_stats().files == 1 ? 0 : 3;
}

Test(swap_fork, without_handlers_what_is_out_is_lost_to_the_child)
{
	int status;
	pid_t pid;

	fill_all();
	pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (pid == 0)
		_exit(lost_in_child());
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(status, 0);
	cr_assert(all_hold());
	cr_assert_eq(slot_fill(&slots[9], MB, 9), 0);
	cr_assert_eq(area_stats().files, 1u);
	free_all();
	cr_assert_eq(area_fd(0), -1);
}
