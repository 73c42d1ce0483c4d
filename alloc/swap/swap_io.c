/* SPDX-License-Identifier: MIT */
#include "alloc/swap/swap_io.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int sys_openat(int dir, const char *name, int flags, mode_t mode)
{
	return (int)syscall(SYS_openat, dir, name, flags, mode);
}

static ssize_t sys_pwrite(int fd, const void *data, size_t bytes, off_t offset)
{
	return syscall(SYS_pwrite64, fd, data, bytes, offset);
}

static ssize_t sys_pread(int fd, void *data, size_t bytes, off_t offset)
{
	return syscall(SYS_pread64, fd, data, bytes, offset);
}

static int sys_fallocate(int fd, int mode, off_t offset, off_t bytes)
{
	return (int)syscall(SYS_fallocate, fd, mode, offset, bytes);
}

struct swap_io swap_io = {
	.openat = sys_openat,
	.pwrite = sys_pwrite,
	.pread = sys_pread,
	.fallocate = sys_fallocate,
};

/*
 * What became of a call that was to do something: how much it did, or -errno. One that would have
 * to wait is an error of the disk: to callers EAGAIN means that they should try again.
 */
static ssize_t progress(ssize_t done)
{
	if (done > 0)
		return done;
	if (done == 0 || errno == EAGAIN)
		return -EIO;
	return errno == EINTR ? 0 : -errno;
}

int swap_io_write(int fd, const void *data, size_t bytes, uint64_t offset)
{
	while (bytes) {
		ssize_t done = progress(swap_io.pwrite(fd, data, bytes, (off_t)offset));

		if (done < 0)
			return (int)done;
		data = (const char *)data + done;
		offset += (size_t)done;
		bytes -= (size_t)done;
	}
	return 0;
}

int swap_io_read(int fd, void *data, size_t bytes, uint64_t offset)
{
	while (bytes) {
		ssize_t done = progress(swap_io.pread(fd, data, bytes, (off_t)offset));

		if (done < 0)
			return (int)done;
		data = (char *)data + done;
		offset += (size_t)done;
		bytes -= (size_t)done;
	}
	return 0;
}

int swap_io_punch(int fd, uint64_t offset, uint64_t bytes)
{
	const int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

	while (swap_io.fallocate(fd, mode, (off_t)offset, (off_t)bytes)) {
		if (errno != EINTR)
			return -errno;
	}
	return 0;
}

int swap_io_sync(int fd)
{
	return syscall(SYS_fdatasync, fd) ? -errno : 0;
}
