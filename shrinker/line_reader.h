/* SPDX-License-Identifier: MIT */
/* A file of the kernel, line by line, without the C library's streams, which allocate. */
#ifndef SHRINKER_LINE_READER_H
#define SHRINKER_LINE_READER_H

#include "shrinker/kept_file.h"

#define LINE_READER_MAX 16384 /* of mountinfo, a line has two paths and a page of options */

struct line_reader {
	struct kept_file file;
	size_t start, end; /* of what is in the buffer and was not returned yet */
	char buf[LINE_READER_MAX];
};

/* 0 or -errno. */
int line_reader_open(struct line_reader *reader, const char *path);

/*
 * The next line, terminated and without its newline, good until the next call; NULL
 * at the end. Lines that do not fit are left out, and a last one without a newline.
 */
char *line_reader_next(struct line_reader *reader);

void line_reader_close(struct line_reader *reader);

#endif
