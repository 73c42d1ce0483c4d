/* SPDX-License-Identifier: MIT */
/*
 * Files of the kernel that are read again and again. They are opened once, at
 * descriptors out of the program's way, and each use makes sure that the program
 * has not closed ours and got the number for something else.
 */
#ifndef SHRINKER_KEPT_FILE_H
#define SHRINKER_KEPT_FILE_H

#include <sys/types.h>

#include "alloc/base/os.h"

struct kept_file {
	int fd; /* -1: none */
	struct os_file file;
};

#define KEPT_FILE_NONE                                                                             \
	{                                                                                          \
		.fd = -1                                                                           \
	}

/* @flags are open()'s; close-on-exec and non-blocking by itself. 0 or -errno. */
int kept_file_open(struct kept_file *file, const char *path, int flags);

/* Takes over @fd, close-on-exec already. */
void kept_file_take(struct kept_file *file, int fd);

/* Whether it was opened, and is still ours. */
bool kept_file_is_open(const struct kept_file *file);

/*
 * Reads from the beginning; what does not fit is left out. Returns the length of
 * @text, which is terminated, or -errno: -EBADF if the file is not open any more.
 */
ssize_t kept_file_read(const struct kept_file *file, char *text, size_t size);

/* Nothing is closed that is not ours. */
void kept_file_close(struct kept_file *file);

#endif
