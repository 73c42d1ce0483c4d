/* SPDX-License-Identifier: MIT */
#include "alloc/swap/swap_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "alloc/swap/swap_io.h"

#define NAME_TRIES 100

/* Out of the program's way; where there is no room for that, in it. */
static int moved_high(int fd)
{
	int high = fd < 0 ? -1 : os_dup_high(fd);

	if (high < 0)
		return fd;
	os_close(fd);
	return high;
}

static int open_at(int dir, const char *name, int flags)
{
	int fd;

	do {
		fd = swap_io.openat(dir, name, flags | O_CLOEXEC, 0600);
	} while (fd < 0 && errno == EINTR);
	return fd < 0 ? -errno : moved_high(fd);
}

static int absolute(char *to, const char *path)
{
	size_t len = 0;

	if (path[0] != '/') {
		if (syscall(SYS_getcwd, to, PATH_MAX) < 0)
			return -errno;
		len = strlen(to);
	}
	if (len + strlen(path) + 2 > PATH_MAX)
		return -ENAMETOOLONG;
	if (len)
		to[len++] = '/';
	strcpy(to + len, path);
	return 0;
}

int swap_dir_open(struct swap_dir *dir, const char *path)
{
	int ret = absolute(dir->path, path);

	if (ret)
		return ret;
	dir->fd = open_at(AT_FDCWD, path, O_PATH | O_DIRECTORY);
	dir->identity = os_file_of(dir->fd);
	return min_t(int, dir->fd, 0);
}

void swap_dir_close(struct swap_dir *dir)
{
	if (os_file_is(dir->fd, &dir->identity))
		os_close(dir->fd);
	dir->fd = -1;
}

/* For file systems without O_TMPFILE: a name that lives for a moment. */
static int make_and_unlink(int dir)
{
	for (unsigned int i = 0; i < NAME_TRIES; i++) {
		struct timespec now;
		char name[64];
		int fd;

		clock_gettime(CLOCK_MONOTONIC, &now);
		snprintf(name, sizeof(name), ".cgslab-swap-%d-%lx", (int)getpid(),
			 (unsigned long)now.tv_sec * 1000000000 + (unsigned long)now.tv_nsec);
		fd = open_at(dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW);
		if (fd >= 0)
			syscall(SYS_unlinkat, dir, name, 0);
		if (fd != -EEXIST)
			return fd;
	}
	return -EEXIST;
}

static int make_file(int dir)
{
	int fd = open_at(dir, ".", O_TMPFILE | O_EXCL | O_RDWR);

	/* What kernels and file systems without it say. */
	if (fd == -EOPNOTSUPP || fd == -EISDIR || fd == -EINVAL || fd == -ENOENT)
		fd = make_and_unlink(dir);
	return fd;
}

int swap_dir_make_file(const struct swap_dir *dir)
{
	int by_name, fd;

	if (os_file_is(dir->fd, &dir->identity))
		return make_file(dir->fd);
	by_name = open_at(AT_FDCWD, dir->path, O_PATH | O_DIRECTORY);
	if (by_name < 0)
		return by_name;
	fd = make_file(by_name);
	os_close(by_name);
	return fd;
}
