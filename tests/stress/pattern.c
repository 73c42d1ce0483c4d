/* SPDX-License-Identifier: MIT */
#include "tests/stress/pattern.h"

#include <string.h>

#include "tests/stress/check.h"

/* Large blocks are written at their ends and here and there between. */
#define SPARSE_STEP 1024

static uint64_t word_at(size_t at, uint64_t owner)
{
	return (owner << 32 | (at & 0xffffffff)) * 0x9e3779b97f4a7c15ull;
}

/* The place after @at that is written, up to @size. */
static size_t next_place(size_t at, size_t size)
{
	if (at < PATTERN_DENSE || at + PATTERN_DENSE + SPARSE_STEP >= size)
		return at + sizeof(uint64_t);
	return at + SPARSE_STEP;
}

void pattern_fill(void *block, size_t size, uint64_t owner)
{
	char *bytes = block;
	size_t at;

	for (at = 0; at + sizeof(uint64_t) <= size; at = next_place(at, size)) {
		uint64_t word = word_at(at, owner);

		memcpy(bytes + at, &word, sizeof(word));
	}
	for (at = size & ~(sizeof(uint64_t) - 1); at < size; at++)
		bytes[at] = (char)word_at(at, owner);
}

void pattern_check(const void *block, size_t size, uint64_t owner)
{
	const char *bytes = block;
	size_t at;

	for (at = 0; at + sizeof(uint64_t) <= size; at = next_place(at, size)) {
		uint64_t word;

		memcpy(&word, bytes + at, sizeof(word));
		CHECK(word == word_at(at, owner),
		      "block %p of %zu bytes, owner %lu: found %lx at %zu", block, size,
		      (unsigned long)owner, (unsigned long)word, at);
	}
	for (at = size & ~(sizeof(uint64_t) - 1); at < size; at++)
		CHECK(bytes[at] == (char)word_at(at, owner),
		      "block %p of %zu bytes, owner %lu: byte %zu", block, size,
		      (unsigned long)owner, at);
}

uint64_t pattern_owner(void)
{
	static uint64_t last;

	return __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED);
}
