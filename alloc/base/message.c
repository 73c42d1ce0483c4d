/* SPDX-License-Identifier: MIT */
#include "alloc/base/message.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "alloc/base/os.h"

#define PREFIX	       "cgslab: "
#define LINE_MAX_BYTES 512

/* Const after message_keep_stderr(): the descriptor, and how to know it again. */
static int kept_fd = -1;
static struct os_file kept;

void message_keep_stderr(void)
{
	kept_fd = os_dup_high(STDERR_FILENO);
	kept = os_file_of(kept_fd);
}

int message_fd(void)
{
	/* The program may have closed it, and opened another there. */
	return os_file_is(kept_fd, &kept) ? kept_fd : STDERR_FILENO;
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
