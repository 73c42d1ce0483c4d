/* SPDX-License-Identifier: MIT */
/* What long blocks are filled with, of whole pages: some can be compressed. */
#ifndef TESTS_STRESS_CONTENT_H
#define TESTS_STRESS_CONTENT_H

#include <stddef.h>
#include <stdint.h>

#include "tests/stress/random.h"

enum content_kind {
	CONTENT_ZERO,
	CONTENT_SAME,	/* one word all over */
	CONTENT_NEARLY, /* but for some further on */
	CONTENT_RUNS,	/* of words that are the same */
	CONTENT_NOISE,
	CONTENT_KINDS,
};

struct content {
	enum content_kind kind;
	uint64_t owner;
};

/* Of an owner that nobody was before. */
struct content content_any(struct random *random);

void content_fill(const struct content *content, uint64_t *words, size_t bytes);

/*
 * Looks at a word of each page, and now and then at all. Returns where the first is that should
 * be another; or @bytes.
 */
size_t content_look(struct random *random, const struct content *content, const uint64_t *words,
		    size_t bytes);

#endif
