/* SPDX-License-Identifier: MIT */
/*
 * Spans with gaps between them, so that each lies in a huge page of its own. Reads: for each
 * line it makes a slow allocation, and says whether what is in the spans is right.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cgslab/slab.h>
#include <cgslab/span.h>

#define SPANS 64
#define KEEP  8
#define SIZE  (512ul << 10)

static struct span *spans[SPANS];

static void fill(int i)
{
	char *data = span_pin(spans[i]);

	if (!data)
		abort();
	memset(data, i, SIZE);
	span_unpin(spans[i]);
}

static bool is_whole(int i)
{
	const char *data = span_pin(spans[i]);
	bool whole = data && data[0] == i && !memcmp(data, data + 1, SIZE - 1);

	span_unpin(spans[i]);
	return whole;
}

int main(void)
{
	char line[16];

	for (int i = 0; i < SPANS; i++) {
		spans[i] = span_alloc(SIZE, GFP_KERNEL);
		if (!spans[i])
			return 1;
		fill(i);
	}
	for (int i = 0; i < SPANS; i++)
		if (i % KEEP)
			span_put(spans[i]);
	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		bool whole = true;

		kfree(kmalloc(2 * SIZE, GFP_KERNEL));
		for (int i = 0; i < SPANS; i += KEEP)
			whole &= is_whole(i);
		puts(whole ? "whole" : "torn");
		fflush(stdout);
	}
	return 0;
}
