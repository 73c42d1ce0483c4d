/* SPDX-License-Identifier: MIT */
#include "accounting/size.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static unsigned int suffix_shift(char suffix)
{
	switch (toupper((unsigned char)suffix)) {
	case 'K':
		return 10;
	case 'M':
		return 20;
	case 'G':
		return 30;
	case 'T':
		return 40;
	}
	return 0;
}

static const char *skip_space(const char *text)
{
	while (isspace((unsigned char)*text))
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
	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	for (; isdigit((unsigned char)*text); text++) {
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
