/* SPDX-License-Identifier: MIT */
/*
 * Spans that may be swapped out, in the group "spill". Says "ready"; for each line of input it
 * looks at all of them and says how many are as they were. Ends with its input.
 */
#include <stdio.h>
#include <stdlib.h>

#include <cgslab/memcg.h>
#include <cgslab/span.h>

#define SPANS	  16
#define SPAN_SIZE (1ul << 20)
#define WORDS	  (SPAN_SIZE / sizeof(uint64_t))

static struct span *spans[SPANS];

/* Three of four are the same, so it can be compressed. */
static uint64_t word_of(size_t span, size_t i)
{
	return i % 4 ? span : (i + span) * 0x9e3779b97f4a7c15ull;
}

static void make(size_t span)
{
	uint64_t *words;

	spans[span] = span_alloc(SPAN_SIZE, GFP_KERNEL | SPAN_SWAPPABLE);
	words = spans[span] ? span_pin(spans[span]) : NULL;
	if (!words)
		abort();
	for (size_t i = 0; i < WORDS; i++)
		words[i] = word_of(span, i);
	span_unpin(spans[span]);
}

static int is_right(size_t span)
{
	uint64_t *words = span_pin(spans[span]);
	int right = words != NULL;

	for (size_t i = 0; right && i < WORDS; i++)
		right = words[i] == word_of(span, i);
	if (words)
		span_unpin(spans[span]);
	return right;
}

int main(void)
{
	char line[16];

	set_active_memcg(mem_cgroup_create(NULL, "spill"));
	for (size_t i = 0; i < SPANS; i++)
		make(i);
	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		int right = 0;

		for (size_t i = 0; i < SPANS; i++)
			right += is_right(i);
		printf("%d\n", right);
		fflush(stdout);
	}
	return 0;
}
