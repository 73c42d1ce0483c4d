/* SPDX-License-Identifier: MIT */
#include "shrinker/line_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int line_reader_open(struct line_reader *reader, const char *path)
{
	reader->start = reader->end = 0;
	return kept_file_open(&reader->file, path, O_RDONLY);
}

/* Returns whether there is more in the buffer than before. */
static bool fill(struct line_reader *reader)
{
	int saved_errno = errno;
	ssize_t got;

	memmove(reader->buf, reader->buf + reader->start, reader->end - reader->start);
	reader->end -= reader->start;
	reader->start = 0;
	got = read(reader->file.fd, reader->buf + reader->end, sizeof(reader->buf) - reader->end);
	errno = saved_errno;
	if (got <= 0)
		return false;
	reader->end += (size_t)got;
	return true;
}

static char *newline_from(struct line_reader *reader, size_t from)
{
	return memchr(reader->buf + from, '\n', reader->end - from);
}

/* The line is longer than the buffer. Returns whether there is another behind it. */
static bool skip(struct line_reader *reader)
{
	char *newline;

	do {
		reader->start = reader->end;
		if (!fill(reader))
			return false;
		newline = newline_from(reader, 0);
	} while (!newline);
	reader->start = (size_t)(newline + 1 - reader->buf);
	return true;
}

char *line_reader_next(struct line_reader *reader)
{
	char *line, *newline;

	while (!(newline = newline_from(reader, reader->start))) {
		if (reader->end - reader->start == sizeof(reader->buf)) {
			if (!skip(reader))
				return NULL;
		} else if (!fill(reader)) {
			return NULL;
		}
	}
	*newline = '\0';
	line = reader->buf + reader->start;
	reader->start = (size_t)(newline + 1 - reader->buf);
	return line;
}

void line_reader_close(struct line_reader *reader)
{
	kept_file_close(&reader->file);
}
