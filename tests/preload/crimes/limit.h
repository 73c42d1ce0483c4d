/* SPDX-License-Identifier: MIT */
/* Crimes that take memory until the kernel refuses more. */
#ifndef TESTS_PRELOAD_CRIMES_LIMIT_H
#define TESTS_PRELOAD_CRIMES_LIMIT_H

#include "crime.h"

#include <sys/resource.h>

#define MIB ((size_t)1 << 20)

static inline void set_limit(int resource, size_t bytes)
{
	struct rlimit limit;

	CHECK(getrlimit((__rlimit_resource_t)resource, &limit) == 0);
	limit.rlim_cur = bytes;
	CHECK(setrlimit((__rlimit_resource_t)resource, &limit) == 0);
}

/*
 * Exhausts memory with blocks of several sizes, but never beyond @most bytes;
 * at least @least are to be had each time, so what was freed comes back.
 */
static inline void exhaust_repeatedly(size_t least, size_t most)
{
	const size_t sizes[] = {64 << 10, 100, 3 << 20, 5000, 64 << 10};

	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		void *list;
		size_t total = exhaust(&list, sizes[i], most);

		release(list);
		if (total < least) {
			dprintf(2, "blocks of %zu: only %zu KiB, not %zu\n", sizes[i], total >> 10,
				least >> 10);
			_exit(1);
		}
	}
	exercise();
}

#endif
