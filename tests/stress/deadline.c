/* SPDX-License-Identifier: MIT */
#include "tests/stress/deadline.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/stress/check.h"

#define DEFAULT_SECONDS 5

static double seconds = DEFAULT_SECONDS; /* const after deadline_start() */
static uint64_t end_ms;			 /* const while others run */

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void deadline_start(int argc, char **argv)
{
	for (int i = 1; i < argc; i += 2) {
		CHECK(i + 1 < argc && !strcmp(argv[i], "--seconds"), "usage: %s [--seconds N]",
		      argv[0]);
		seconds = atof(argv[i + 1]);
	}
	deadline_start_part(1);
}

void deadline_start_part(unsigned int parts)
{
	end_ms = now_ms() + (uint64_t)(seconds * 1000 / parts);
}

bool deadline_passed(void)
{
	return now_ms() >= end_ms;
}
