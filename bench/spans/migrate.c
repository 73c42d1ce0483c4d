/* SPDX-License-Identifier: MIT */
/*
 * mem_cgroup_migrate() of --live bytes in memory to a new span, --ops times, and a memcpy() of as
 * many from that span to a block whose pages are there, by turns. Each word of what has come is
 * looked at. Medians; the ratio is that of one turn.
 *
 *	equal	the new span is as long as the old one
 *	longer	it is MORE longer
 */
#include <stdlib.h>
#include <string.h>

#include "bench/spans/must.h"
#include "bench/workloads/measure.h"
#include "bench/workloads/workload.h"

#define MORE	  (2u << 20)
#define TURNS_MAX 1000u

enum { EQUAL, LONGER };

static double migrate_ms[TURNS_MAX], memcpy_ms[TURNS_MAX], ratio[TURNS_MAX];

static void fill(uint64_t *words, size_t size)
{
	for (size_t i = 0; i < size / sizeof(*words); i++)
		words[i] = i * 0x9e3779b97f4a7c15;
}

static void check(const uint64_t *words, size_t size)
{
	for (size_t i = 0; i < size / sizeof(*words); i++)
		if (words[i] != i * 0x9e3779b97f4a7c15)
			workload_fail("the content is not what it was");
}

/* Returns the span that has the content now. */
static struct span *time_migrate(struct span *old, size_t more, double *ms)
{
	struct span *new = must_alloc(span_size(old) + more, SPAN_UNCHARGED);
	double start = measure_now();

	if (mem_cgroup_migrate(old, new))
		workload_fail("it does not migrate");
	*ms = (measure_now() - start) * 1e3;
	span_put(old);
	return new;
}

static void time_memcpy(struct span *span, void *to, size_t size, double *ms)
{
	void *from = must_pin(span);
	double start = measure_now();

	memcpy(to, from, size);
	*ms = (measure_now() - start) * 1e3;
	span_unpin(span);
}

static uint64_t run(const struct workload_params *params)
{
	struct mem_cgroup *memcg = must_enter_group();
	unsigned turns = (unsigned)params->ops;
	struct span *span;
	uint64_t others;
	void *to;

	if (turns > TURNS_MAX)
		workload_fail("--ops is too large");
	span = must_alloc(params->live, 0);
	to = malloc(params->live);
	if (!to)
		workload_fail("no memory");
	fill(must_pin(span), params->live);
	span_unpin(span);
	memset(to, 1, params->live);
	others = mem_cgroup_usage(memcg) - span_size(span);
	for (unsigned turn = 0; turn < turns; turn++) {
		span = time_migrate(span, params->mode == LONGER ? MORE : 0, &migrate_ms[turn]);
		time_memcpy(span, to, params->live, &memcpy_ms[turn]);
		check(to, params->live);
		ratio[turn] = migrate_ms[turn] / memcpy_ms[turn];
	}
	if (mem_cgroup_usage(memcg) != others + span_size(span))
		workload_fail("the charge is not what it was");
	free(to);
	span_put(span);
	measure_print("migrate_ms", measure_median(migrate_ms, turns));
	measure_print("memcpy_ms", measure_median(memcpy_ms, turns));
	measure_print("ratio", measure_median(ratio, turns));
	return 0;
}

const struct workload workload = {
	.about = "the content of a span moves to another",
	.modes = {"equal", "longer"},
	.defaults = {.ops = 5, .live = 1 << 30},
	.run = run,
};
