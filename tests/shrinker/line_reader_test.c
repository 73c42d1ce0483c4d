/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "shrinker/line_reader.h"
#include "tests/shrinker/fake_tree.h"

static struct line_reader reader;

static void open_with(const char *text)
{
	fake_tree_make();
	fake_write("file", "%s", text);
	cr_assert_eq(line_reader_open(&reader, fake_path("file")), 0);
}

static void close_it(void)
{
	line_reader_close(&reader);
	fake_tree_remove();
}

Test(line_reader, gives_one_line_after_the_other)
{
	open_with("one\n\nthree 3\n");
	cr_expect_str_eq(line_reader_next(&reader), "one");
	cr_expect_str_eq(line_reader_next(&reader), "");
	cr_expect_str_eq(line_reader_next(&reader), "three 3");
	cr_expect_null(line_reader_next(&reader));
	cr_expect_null(line_reader_next(&reader));
	close_it();
}

Test(line_reader, leaves_out_what_does_not_end)
{
	open_with("one\ntwo");
	cr_expect_str_eq(line_reader_next(&reader), "one");
	cr_expect_null(line_reader_next(&reader));
	close_it();
}

Test(line_reader, leaves_out_what_does_not_fit)
{
	static char text[3 * LINE_READER_MAX + 32];
	size_t len = 0;

	len += (size_t)sprintf(text + len, "one\n");
	memset(text + len, 'x', LINE_READER_MAX); /* without its newline */
	len += LINE_READER_MAX;
	len += (size_t)sprintf(text + len, "\ntwo\n");
	memset(text + len, 'y', LINE_READER_MAX - 1); /* the longest that fits */
	len += LINE_READER_MAX - 1;
	sprintf(text + len, "\nthree\n");
	open_with(text);
	cr_expect_str_eq(line_reader_next(&reader), "one");
	cr_expect_str_eq(line_reader_next(&reader), "two");
	cr_expect_eq(strlen(line_reader_next(&reader)), LINE_READER_MAX - 1);
	cr_expect_str_eq(line_reader_next(&reader), "three");
	cr_expect_null(line_reader_next(&reader));
	close_it();
}

Test(line_reader, crosses_its_buffer_anywhere)
{
	static char text[64 * 1024];
	size_t len = 0;
	int n = 0;

	for (; len < sizeof(text) - 64; n++)
		len += (size_t)sprintf(text + len, "line %d %.*s\n", n, n % 40,
				       "........................................");
	open_with(text);
	for (int i = 0; i < n; i++) {
		const char *line = line_reader_next(&reader);

		cr_assert_not_null(line);
		cr_assert_eq(atoi(line + 5), i);
	}
	cr_expect_null(line_reader_next(&reader));
	close_it();
}

Test(line_reader, says_what_cannot_be_opened)
{
	cr_expect_eq(line_reader_open(&reader, "/proc/self/nothing"), -2);
}
