/* SPDX-License-Identifier: MIT */
#include "tests/stress/content.h"

#include "tests/stress/pattern.h"

#define PAGE	  4096
#define RUN_WORDS 64
#define ODD_WORDS 1000 /* one of so many: none in the first page */

struct content content_any(struct random *random)
{
	return (struct content){random_below(random, CONTENT_KINDS), pattern_owner()};
}

static uint64_t mix(uint64_t word)
{
	word = (word + 1) * 0x9e3779b97f4a7c15ull;
	return word ^ word >> 29;
}

static uint64_t word_at(const struct content *content, size_t i)
{
	switch (content->kind) {
	case CONTENT_SAME:
		return mix(content->owner);
	case CONTENT_NEARLY:
		return mix(content->owner + (i % ODD_WORDS == ODD_WORDS - 1));
	case CONTENT_RUNS:
		return mix(content->owner << 32 | i / RUN_WORDS);
	case CONTENT_NOISE:
		return mix(mix(content->owner << 32 | i));
	default:
		return 0;
	}
}

void content_fill(const struct content *content, uint64_t *words, size_t bytes)
{
	for (size_t i = 0; i < bytes / sizeof(*words); i++)
		words[i] = word_at(content, i);
}

static size_t find_wrong(const struct content *content, const uint64_t *words, size_t bytes,
			 size_t at, size_t step)
{
	for (; at < bytes; at += step)
		if (words[at / sizeof(*words)] != word_at(content, at / sizeof(*words)))
			break;
	return at < bytes ? at : bytes;
}

size_t content_look(struct random *random, const struct content *content, const uint64_t *words,
		    size_t bytes)
{
	if (random_chance(random, 8))
		return find_wrong(content, words, bytes, 0, sizeof(*words));
	return find_wrong(content, words, bytes, random_below(random, PAGE) & ~7u, PAGE);
}
