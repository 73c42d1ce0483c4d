/* SPDX-License-Identifier: MIT */
/*
 * A long run of changing sizes, with --live bytes alive at any time; who dies is picked at random.
 *
 *	mixed	any size from 64 bytes to 4 KiB at any time
 *	slow	all sizes of the moment lie within a factor of 4. That window drifts from small to
 *		large and back: by a factor of 2 whenever the live bytes have been replaced 16
 *times. Hardly an object lives to see its sizes go
 *	fast	the same after 4 times: one object in fifty is left behind by its window, and holds
 *		what is around it
 *
 * Measures CPU time per allocation and its free, and from the first full heap on the worst of what
 * is resident: for each live byte, and in MiB beyond 1.3 times the live bytes.
 */
#include <string.h>

#include "bench/workloads/block.h"
#include "bench/workloads/measure.h"
#include "bench/workloads/rng.h"
#include "bench/workloads/workload.h"

#define PLACES_MAX (1u << 22)
#define SHIFT_MIN  6  /* windows begin between 64 bytes */
#define SHIFT_MAX  10 /* and 1 KiB, and so end between 256 bytes and 4 KiB */
#define LOOKS	   64 /* at RSS, for every --live bytes that are allocated */

static struct block *heap[PLACES_MAX];

enum { MIXED, SLOW, FAST };

struct drift {
	struct rng rng;
	unsigned mode;
	uint64_t live_max; /* bytes */
	uint64_t live;	   /* bytes, at most live_max */
	uint64_t count;	   /* of objects in heap[] */
	uint64_t allocated;
	uint64_t next_look;  /* at so many bytes allocated */
	uint64_t rss_before; /* of the heap */
	uint64_t sum;
	double ratio, excess;
};

/* The window's lower end: a triangle over time, in 1/16 of an octave. */
static size_t window(const struct drift *drift)
{
	const uint64_t steps = (SHIFT_MAX - SHIFT_MIN) * 16;
	const uint64_t turnovers = drift->mode == SLOW ? 16 : 4;
	uint64_t at = drift->allocated * 16 / (drift->live_max * turnovers) % (2 * steps);
	uint64_t octaves;

	at = at < steps ? at : 2 * steps - at;
	octaves = at / 16;
	return ((size_t)(16 + at % 16) << (SHIFT_MIN + octaves)) / 16;
}

static void look(struct drift *drift)
{
	double rss = (double)(measure_rss_bytes() - drift->rss_before), live = (double)drift->live;

	drift->next_look += drift->live_max / LOOKS;
	if (drift->allocated < drift->live_max)
		return;
	if (rss / live > drift->ratio)
		drift->ratio = rss / live;
	if (rss - 1.3 * live > drift->excess)
		drift->excess = rss - 1.3 * live;
}

static void drop_one(struct drift *drift)
{
	struct block **victim = &heap[rng_below(&drift->rng, (uint32_t)drift->count)];

	drift->live -= (*victim)->size;
	drift->sum += block_free(*victim);
	*victim = heap[--drift->count];
}

static size_t draw_size(struct drift *drift)
{
	size_t min;

	if (drift->mode == MIXED)
		return rng_log_between(&drift->rng, SHIFT_MIN, SHIFT_MAX + 2);
	min = window(drift);
	return rng_between(&drift->rng, min, 4 * min);
}

static void step(struct drift *drift)
{
	size_t size = draw_size(drift);

	while (drift->live + size > drift->live_max)
		drop_one(drift);
	if (drift->count == PLACES_MAX)
		workload_fail("too many objects: --live is too large");
	heap[drift->count++] = block_new(size, rng_next(&drift->rng));
	drift->live += size;
	drift->allocated += size;
	if (drift->allocated >= drift->next_look)
		look(drift);
}

static uint64_t run(const struct workload_params *params)
{
	struct drift drift = {
		.rng = rng_make(params->seed, 0), .mode = params->mode, .live_max = params->live};
	double start;

	memset(heap, 0, sizeof(heap));
	drift.excess = -(double)params->live;
	drift.rss_before = measure_rss_bytes();
	start = measure_thread_seconds();
	for (uint64_t op = 0; op < params->ops; op++)
		step(&drift);
	measure_print("ns_per_op", (measure_thread_seconds() - start) * 1e9 / (double)params->ops);
	measure_print("rss_per_live", drift.ratio);
	measure_print("excess_mib", drift.excess / (1 << 20));
	return drift.sum + block_free_all(heap, drift.count);
}

const struct workload workload = {
	.about = "sizes that drift from small to large and back, --live bytes alive",
	.modes = {"mixed", "slow", "fast"},
	.defaults = {.ops = 4000000, .live = 32 << 20},
	.run = run,
};
