/* SPDX-License-Identifier: MIT */
/*
 * Spans that go out and come back, beside pwrite() and pread() by hand; files in $TMPDIR.
 *
 *	256k, 1m, 4m	as in a program at its limit. There are --live bytes in either file, and
 *			WINDOW more in memory. A step writes CHUNK bytes, those that were used the
 *			longest ago, and reads those that were written the longest ago
 *	all		spans of 1 MiB, which a step writes all, and then reads all. By hand the
 *memory of each is freed, and allocated again
 *
 * Ours is mem_cgroup_reclaim() of as many bytes, and span_pin(). By hand blocks as long as the
 * spans are written and read by one request each, and what has been read is written over; at
 * the limit the pages of the blocks are there all the time. --ops steps. Each page that has
 * come is looked at. Medians; ratios are those of the rates of one step: above 1, ours is faster.
 */
#include <stdlib.h>

#include "bench/spans/swap.h"
#include "bench/workloads/measure.h"
#include "bench/workloads/workload.h"

#define CHUNK	  (8u << 20)
#define WINDOW	  (8 * CHUNK)
#define STEPS_MAX 10000u
#define WARM	  3u /* steps */

enum { SIZE_256K, SIZE_1M, SIZE_4M, ALL };

static const size_t sizes[] = {256 << 10, 1 << 20, 4 << 20, 1 << 20};

static double ours_out[STEPS_MAX], by_hand_out[STEPS_MAX], out_ratio[STEPS_MAX];
static double ours_in[STEPS_MAX], by_hand_in[STEPS_MAX], in_ratio[STEPS_MAX];

/* Who is first in one step is last in the next. */
static void take_step(unsigned step)
{
	if (step % 2) {
		by_hand_out[step] = by_hand_write();
		ours_out[step] = ours_write();
		by_hand_in[step] = by_hand_read();
		ours_in[step] = ours_read();
	} else {
		ours_out[step] = ours_write();
		by_hand_out[step] = by_hand_write();
		ours_in[step] = ours_read();
		by_hand_in[step] = by_hand_read();
	}
	out_ratio[step] = ours_out[step] / by_hand_out[step];
	in_ratio[step] = ours_in[step] / by_hand_in[step];
}

static struct plan make_plan(const struct workload_params *params)
{
	size_t live = params->live / CHUNK * CHUNK;
	struct plan plan = {
		.directory = getenv("TMPDIR"),
		.size = sizes[params->mode],
		.out = live,
		.memory = WINDOW,
		.step = CHUNK,
	};

	if (!plan.directory)
		plan.directory = "/tmp";
	if (params->mode == ALL) {
		plan.out = 0;
		plan.memory = plan.step = live;
		plan.frees = true;
	}
	return plan;
}

static uint64_t run(const struct workload_params *params)
{
	struct plan plan = make_plan(params);
	unsigned steps = (unsigned)params->ops;

	if (steps > STEPS_MAX || !(plan.out + plan.step))
		workload_fail("bad --ops or --live");
	by_hand_begin(&plan);
	ours_begin(&plan);
	for (unsigned i = 0; i < WARM; i++)
		take_step(i);
	for (unsigned step = 0; step < steps; step++)
		take_step(step);
	ours_end();
	by_hand_end();
	measure_print("ours_out", measure_median(ours_out, steps));
	measure_print("by_hand_out", measure_median(by_hand_out, steps));
	measure_print("out_ratio", measure_median(out_ratio, steps));
	measure_print("ours_in", measure_median(ours_in, steps));
	measure_print("by_hand_in", measure_median(by_hand_in, steps));
	measure_print("in_ratio", measure_median(in_ratio, steps));
	return 0;
}

const struct workload workload = {
	.about = "spans that are swapped, and a file that is written and read by hand",
	.modes = {"256k", "1m", "4m", "all"},
	.defaults = {.ops = 100, .live = 512 << 20},
	.run = run,
};
