/* SPDX-License-Identifier: MIT */
/*
 * The system calls that touch the swap file: none is a cancellation point. A
 * test puts its own in their place, to have them fail, before there is a file.
 */
#ifndef ALLOC_SWAP_SWAP_IO_H
#define ALLOC_SWAP_SWAP_IO_H

#include <sys/types.h>

#include "alloc/base/compiler.h"

/* Each as the call it is named after: -1 and errno for an error. */
struct swap_io {
	int (*openat)(int dir, const char *name, int flags, mode_t mode);
	ssize_t (*pwrite)(int fd, const void *data, size_t bytes, off_t offset);
	ssize_t (*pread)(int fd, void *data, size_t bytes, off_t offset);
	int (*fallocate)(int fd, int mode, off_t offset, off_t bytes);
};

extern struct swap_io swap_io;

/*
 * All bytes, however many calls that takes; 0 or -errno. -EIO: the file ends
 * before, or a call did nothing.
 */
int swap_io_write(int fd, const void *data, size_t bytes, uint64_t offset);
int swap_io_read(int fd, void *data, size_t bytes, uint64_t offset);

/* Gives the file's blocks in the range back, which then reads as zero. 0 or -errno. */
int swap_io_punch(int fd, uint64_t offset, uint64_t bytes);

/* What was written is on the disk. 0 or -errno. */
int swap_io_sync(int fd);

#endif
