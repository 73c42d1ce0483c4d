/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <errno.h>

#include "accounting/size.h"
#include "alloc/base/compiler.h"

static const struct {
	const char *text;
	uint64_t bytes;
} good[] = {
	{"0", 0},
	{"1", 1},
	{"4096", 4096},
	{"007", 7},
	{"10K", 10ull << 10},
	{"10k", 10ull << 10},
	{"3M", 3ull << 20},
	{"3m", 3ull << 20},
	{"2G", 2ull << 30},
	{"1T", 1ull << 40},
	{" 12 ", 12},
	{"12K\n", 12ull << 10},
	{"max", UINT64_MAX},
	{"max\n", UINT64_MAX},
	{" max", UINT64_MAX},
	{"18446744073709551615", UINT64_MAX},
	{"16777215T", 16777215ull << 40},
};

static const char *const bad[] = {
	"",
	" ",
	"K",
	"-1",
	"+1",
	"1.5M",
	"10KB",
	"10 K",
	"1 2",
	"max1",
	"MAX",
	"maxK",
	"0x10",
	"1e3",
	"10KK",
	"ten",
	"1\v2",
	"18446744073709551616",
	"16777216T",
	"99999999999999999999999",
	"18014398509481984K",
};

Test(size, reads_what_a_limit_may_be)
{
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		uint64_t bytes = 4711;

		cr_expect_eq(parse_size(good[i].text, &bytes), 0, "\"%s\"", good[i].text);
		cr_expect_eq(bytes, good[i].bytes, "\"%s\": %lu", good[i].text,
			     (unsigned long)bytes);
	}
}

Test(size, refuses_the_rest_and_writes_nothing)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		uint64_t bytes = 4711;

		cr_expect_eq(parse_size(bad[i], &bytes), -EINVAL, "\"%s\"", bad[i]);
		cr_expect_eq(bytes, 4711, "\"%s\"", bad[i]);
	}
}
