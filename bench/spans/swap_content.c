/* SPDX-License-Identifier: MIT */
#include "bench/spans/swap.h"

#include "bench/workloads/workload.h"

#define WORDS (4096 / sizeof(uint64_t)) /* in a page */

/* No page is another's, and none repeats one word: nothing can be spared. */
void content_fill(void *start, size_t size, uint64_t number)
{
	uint64_t random = number * 0x9e3779b97f4a7c15 + 1, *words = start;

	for (size_t i = 0; i < size / sizeof(*words); i++) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		words[i] = i % WORDS ? random : number;
	}
}

void content_stamp(void *start, size_t size, uint64_t number)
{
	uint64_t *words = start;

	for (size_t i = 0; i < size / sizeof(*words); i += WORDS)
		words[i] = number;
}

void content_check(const void *start, size_t size, uint64_t number)
{
	const uint64_t *words = start;

	for (size_t i = 0; i < size / sizeof(*words); i += WORDS)
		if (words[i] != number)
			workload_fail("the content is not what it was");
}
