/* SPDX-License-Identifier: MIT */
/*
 * A span_alloc() of --live bytes and its span_put(), in a group with a limit that is far away, and
 * the same with SPAN_UNCHARGED: --ops pairs of each, by turns. Beside them a malloc of as many
 * bytes and its free.
 *
 *	untouched	nobody writes to it
 *	touched		a byte of each page is written
 *
 * Medians: "again" is the same as "uncharged", for the noise.
 */
#include <stdbool.h>
#include <stdlib.h>

#include "bench/spans/must.h"
#include "bench/workloads/measure.h"
#include "bench/workloads/workload.h"

#define PAIRS	  256u /* in a turn */
#define TOUCHES	  16u  /* in a turn of pairs that are touched */
#define TURNS_MAX 10000u
#define WARM	  3u /* turns */

enum { UNTOUCHED, TOUCHED };
enum { CHARGED, UNCHARGED, AGAIN, MALLOC, KINDS };

static const char *const names[KINDS] = {"charged_ns", "uncharged_ns", "again_ns", "malloc_ns"};
static double ns[KINDS][TURNS_MAX], overhead[TURNS_MAX], noise[TURNS_MAX];

static void touch(char *start, size_t size)
{
	for (size_t i = 0; i < size; i += PAGE)
		((volatile char *)start)[i] = 1;
}

static void span_pair(size_t size, unsigned flags, bool touched)
{
	struct span *span = must_alloc(size, flags);

	if (touched) {
		touch(must_pin(span), size);
		span_unpin(span);
	}
	span_put(span);
}

static void malloc_pair(size_t size, bool touched)
{
	char *block = malloc(size);

	if (!block)
		workload_fail("no block");
	if (touched)
		touch(block, size);
	free(block);
}

static double time_pairs(unsigned kind, size_t size, bool touched)
{
	unsigned flags = kind == CHARGED ? 0 : SPAN_UNCHARGED;
	unsigned pairs = touched ? TOUCHES : PAIRS;
	double start = measure_thread_seconds();

	if (kind == MALLOC)
		for (unsigned i = 0; i < pairs; i++)
			malloc_pair(size, touched);
	else
		for (unsigned i = 0; i < pairs; i++)
			span_pair(size, flags, touched);
	return (measure_thread_seconds() - start) * 1e9 / pairs;
}

/* Another kind is first in each turn, so that none has always the same before it. */
static void take_turn(unsigned turn, size_t size, bool touched)
{
	for (unsigned i = 0; i < KINDS; i++) {
		unsigned kind = (turn + i) % KINDS;

		ns[kind][turn] = time_pairs(kind, size, touched);
	}
	overhead[turn] = ns[CHARGED][turn] / ns[UNCHARGED][turn];
	noise[turn] = ns[AGAIN][turn] / ns[UNCHARGED][turn];
}

static uint64_t run(const struct workload_params *params)
{
	bool touched = params->mode == TOUCHED;
	unsigned turns = (unsigned)(params->ops / (touched ? TOUCHES : PAIRS)) + 1;

	if (turns > TURNS_MAX)
		workload_fail("--ops is too large");
	must_enter_group();
	for (unsigned i = 0; i < WARM; i++)
		take_turn(0, params->live, touched);
	for (unsigned turn = 0; turn < turns; turn++)
		take_turn(turn, params->live, touched);
	for (unsigned kind = 0; kind < KINDS; kind++)
		measure_print(names[kind], measure_median(ns[kind], turns));
	measure_print("overhead", measure_median(overhead, turns));
	measure_print("noise", measure_median(noise, turns));
	return 0;
}

const struct workload workload = {
	.about = "spans that are charged, and spans that are not",
	.modes = {"untouched", "touched"},
	.defaults = {.ops = 100000, .live = 1 << 20},
	.run = run,
};
