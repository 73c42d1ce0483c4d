/* SPDX-License-Identifier: MIT */
#include "alloc/base/message.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX	       "cgslab: "
#define LINE_MAX_BYTES 512

/* Out of the way of programs that expect low descriptors. */
#define FD_HIGH 1000

/* Const after message_keep_stderr(): the descriptor, and how to know it again. */
static int kept_fd = -1;
static struct stat kept;

void message_keep_stderr(void)
{
	kept_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, FD_HIGH);
	if (kept_fd >= 0 && fstat(kept_fd, &kept))
		kept_fd = -1;
}

int message_fd(void)
{
	struct stat now;

	/* The program may have closed it, and opened another there. */
	if (kept_fd < 0 || fstat(kept_fd, &now) || now.st_ino != kept.st_ino ||
	    now.st_dev != kept.st_dev)
		return STDERR_FILENO;
	return kept_fd;
}

/*
 * vsnprintf() with %s, %p and integers neither allocates nor takes locks in
 * glibc, so this is fit for the middle of malloc.
 */
static void write_line(const char *fmt, va_list args)
{
	char line[LINE_MAX_BYTES] = PREFIX;
	size_t len = sizeof(PREFIX) - 1;
	int saved_errno = errno;
	int fd = message_fd();
	int n = vsnprintf(line + len, sizeof(line) - len - 1, fmt, args);

	if (n > 0)
		len += min_t(size_t, n, sizeof(line) - len - 2);
	line[len++] = '\n';
	for (size_t done = 0; done < len;) {
		ssize_t written = write(fd, line + done, len - done);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			break;
		done += (size_t)written;
	}
	errno = saved_errno;
}

void warn(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	write_line(fmt, args);
	va_end(args);
}

void die(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	write_line(fmt, args);
	va_end(args);
	abort();
}
