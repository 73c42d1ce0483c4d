/* SPDX-License-Identifier: MIT */
/*
 * A span_pin() of a span in memory and its span_unpin(), beside a malloc of 64 bytes and its free:
 * --ops pairs of each, by turns. "own" is a span that the same thread has allocated, "other" one
 * that another thread has. Medians; ratios are those of one turn.
 */
#include <pthread.h>
#include <stdlib.h>

#include "bench/spans/must.h"
#include "bench/workloads/measure.h"
#include "bench/workloads/workload.h"

#define SIZE	  (1u << 20)
#define PAIRS	  16384u /* in a turn */
#define TURNS_MAX 10000u
#define WARM	  3u /* turns */

static double pair_ns[TURNS_MAX], own_ns[TURNS_MAX], other_ns[TURNS_MAX];
static double own_ratio[TURNS_MAX], other_ratio[TURNS_MAX];

static void *make_span(void *unused)
{
	(void)unused;
	return must_alloc(SIZE, SPAN_SWAPPABLE);
}

static struct span *made_by_another(void)
{
	pthread_t thread;
	void *span;

	if (pthread_create(&thread, NULL, make_span, NULL) || pthread_join(thread, &span))
		workload_fail("no thread");
	return span;
}

static double time_pins(struct span *span)
{
	double start = measure_thread_seconds();

	for (unsigned i = 0; i < PAIRS; i++) {
		must_pin(span);
		span_unpin(span);
	}
	return (measure_thread_seconds() - start) * 1e9 / PAIRS;
}

static double time_mallocs(void)
{
	double start = measure_thread_seconds();

	for (unsigned i = 0; i < PAIRS; i++)
		free(malloc(64));
	return (measure_thread_seconds() - start) * 1e9 / PAIRS;
}

static void take_turn(unsigned turn, struct span *own, struct span *other)
{
	pair_ns[turn] = time_mallocs();
	own_ns[turn] = time_pins(own);
	other_ns[turn] = time_pins(other);
	own_ratio[turn] = own_ns[turn] / pair_ns[turn];
	other_ratio[turn] = other_ns[turn] / pair_ns[turn];
}

static uint64_t run(const struct workload_params *params)
{
	unsigned turns = (unsigned)(params->ops / PAIRS) + 1;
	struct span *own, *other;

	if (turns > TURNS_MAX)
		workload_fail("--ops is too large");
	must_enter_group();
	own = make_span(NULL);
	other = made_by_another();
	for (unsigned i = 0; i < WARM; i++)
		take_turn(0, own, other);
	for (unsigned turn = 0; turn < turns; turn++)
		take_turn(turn, own, other);
	span_put(own);
	span_put(other);
	measure_print("pair_ns", measure_median(pair_ns, turns));
	measure_print("own_ns", measure_median(own_ns, turns));
	measure_print("other_ns", measure_median(other_ns, turns));
	measure_print("own_ratio", measure_median(own_ratio, turns));
	measure_print("other_ratio", measure_median(other_ratio, turns));
	return 0;
}

const struct workload workload = {
	.about = "pins of a span, and pairs of malloc and free",
	.defaults = {.ops = 4000000},
	.run = run,
};
