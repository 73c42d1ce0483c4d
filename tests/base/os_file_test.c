/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "alloc/base/os.h"

Test(os_file, is_known_again_at_another_descriptor)
{
	int fd = open("/proc/self/exe", O_RDONLY);
	struct os_file file = os_file_of(fd);
	int high = os_dup_high(fd);

	cr_assert(fd >= 0 && high >= 1000);
	cr_assert(fcntl(high, F_GETFD) & FD_CLOEXEC);
	cr_assert(os_file_is(fd, &file));
	close(fd);
	cr_assert(os_file_is(high, &file));
	close(high);
}

Test(os_file, is_not_what_took_its_descriptor)
{
	int fd = open("/proc/self/exe", O_RDONLY);
	struct os_file file = os_file_of(fd);
	int other = open("/dev/null", O_RDONLY);

	cr_assert_eq(dup2(other, fd), fd);
	cr_assert(!os_file_is(fd, &file));
	close(other);
	close(fd);
}

Test(os_file, is_none_where_nothing_is_open)
{
	int fd = open("/proc/self/exe", O_RDONLY);
	struct os_file file = os_file_of(fd), none;

	close(fd);
	errno = 0;
	none = os_file_of(fd);
	cr_assert_eq(none.inode, 0u);
	cr_assert(!os_file_is(fd, &file));
	cr_assert(!os_file_is(fd, &none));
	cr_assert(!os_file_is(-1, &none));
	cr_assert_eq(errno, 0);
}
