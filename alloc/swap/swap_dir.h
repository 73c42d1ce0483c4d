/* SPDX-License-Identifier: MIT */
/*
 * The directory that swap files are made in. It is kept open, so that a program
 * may change its root or its directory; if the program closes our descriptor,
 * the name stands in.
 */
#ifndef ALLOC_SWAP_SWAP_DIR_H
#define ALLOC_SWAP_SWAP_DIR_H

#include <limits.h>

#include "alloc/base/os.h"

struct swap_dir {
	int fd; /* -1: none */
	struct os_file identity;
	char path[PATH_MAX]; /* absolute */
};

/* 0 or -errno, with none open; nothing is made there yet. */
int swap_dir_open(struct swap_dir *dir, const char *path);
void swap_dir_close(struct swap_dir *dir);

/* A new file without a name: its descriptor, high and close-on-exec, or -errno. */
int swap_dir_make_file(const struct swap_dir *dir);

#endif
