/* SPDX-License-Identifier: MIT */
#include "shrinker/kept_file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

void kept_file_take(struct kept_file *file, int fd)
{
	int high = os_dup_high(fd);

	if (high >= 0) {
		os_close(fd);
		fd = high;
	}
	file->fd = fd;
	file->file = os_file_of(fd);
}

int kept_file_open(struct kept_file *file, const char *path, int flags)
{
	int saved_errno = errno;
	int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int ret = fd < 0 ? -errno : 0;

	errno = saved_errno;
	if (ret)
		file->fd = -1;
	else
		kept_file_take(file, fd);
	return ret;
}

bool kept_file_is_open(const struct kept_file *file)
{
	return file->fd >= 0 && os_file_is(file->fd, &file->file);
}

ssize_t kept_file_read(const struct kept_file *file, char *text, size_t size)
{
	int saved_errno = errno;
	ssize_t len = 0, more = 0;

	text[0] = '\0';
	if (!kept_file_is_open(file))
		return -EBADF;
	while ((size_t)len < size - 1) {
		more = pread(file->fd, text + len, size - 1 - (size_t)len, len);
		if (more <= 0)
			break;
		len += more;
	}
	text[len] = '\0';
	if (more < 0)
		len = -errno;
	errno = saved_errno;
	return len;
}

void kept_file_close(struct kept_file *file)
{
	if (kept_file_is_open(file))
		os_close(file->fd);
	file->fd = -1;
}
