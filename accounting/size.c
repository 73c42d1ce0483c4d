/* SPDX-License-Identifier: MIT */
#include "accounting/size.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/*
 * Not <ctype.h>: its tables are pages of libc that a small program would have
 * mapped for nothing else.
 */
static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static unsigned int suffix_shift(char suffix)
{
	switch (suffix) {
	case 'K':
	case 'k':
		return 10;
	case 'M':
	case 'm':
		return 20;
	case 'G':
	case 'g':
		return 30;
	case 'T':
	case 't':
		return 40;
	}
	return 0;
}

static const char *skip_space(const char *text)
{
	while (is_space(*text))
		text++;
	return text;
}

int parse_size(const char *text, uint64_t *bytes)
{
	uint64_t value = 0;
	unsigned int shift;

	text = skip_space(text);
	if (!strncmp(text, "max", 3)) {
		if (*skip_space(text + 3))
			return -EINVAL;
		*bytes = UINT64_MAX;
		return 0;
	}
	if (!is_digit(*text))
		return -EINVAL;
	for (; is_digit(*text); text++) {
		unsigned int digit = (unsigned int)(*text - '0');

		if (value > (UINT64_MAX - digit) / 10)
			return -EINVAL;
		value = value * 10 + digit;
	}
	shift = suffix_shift(*text);
	if (shift)
		text++;
	if (*skip_space(text) || value > UINT64_MAX >> shift)
		return -EINVAL;
	*bytes = value << shift;
	return 0;
}

const char *format_size(uint64_t bytes, char *buf, size_t len)
{
	static const char units[] = "BKMGT";
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 1024 && unit < sizeof(units) - 2) {
		value /= 1024;
		unit++;
	}
	snprintf(buf, len, unit ? "%.1f%c" : "%.0f%c", value, units[unit]);
	return buf;
}
