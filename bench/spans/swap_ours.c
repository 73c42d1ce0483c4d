/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "bench/spans/must.h"
#include "bench/spans/swap.h"
#include "bench/workloads/measure.h"

static struct {
	const struct plan *plan;
	struct mem_cgroup *memcg;
	struct span **spans;
	size_t nr, oldest; /* the first of those that are out; they follow one another */
	void **starts;	   /* of those that are brought in */
} ours;

void ours_begin(const struct plan *plan)
{
	ours.plan = plan;
	ours.memcg = must_enter_group();
	ours.nr = (plan->out + plan->memory) / plan->size;
	ours.spans = calloc(ours.nr, sizeof(*ours.spans));
	ours.starts = calloc(plan->step / plan->size, sizeof(*ours.starts));
	if (!ours.spans || !ours.starts || span_swapon(plan->directory, UINT64_MAX))
		workload_fail("cannot begin");
	for (size_t i = 0; i < ours.nr; i++) {
		ours.spans[i] = must_alloc(plan->size, SPAN_SWAPPABLE);
		content_fill(must_pin(ours.spans[i]), plan->size, i);
		span_unpin(ours.spans[i]);
	}
	mem_cgroup_reclaim(ours.memcg, plan->out);
}

/* What is reclaimed may be a little less, as what threads have in stock counts, too. */
double ours_write(void)
{
	uint64_t before = mem_cgroup_swap_usage(ours.memcg), bytes = 0;
	double start = measure_now();

	while (bytes < ours.plan->step) {
		if (mem_cgroup_reclaim(ours.memcg, ours.plan->step - bytes))
			workload_fail("they do not go out");
		bytes = mem_cgroup_swap_usage(ours.memcg) - before;
	}
	return (double)bytes / (measure_now() - start);
}

double ours_read(void)
{
	uint64_t before = mem_cgroup_swap_usage(ours.memcg);
	size_t nr = ours.plan->step / ours.plan->size;
	double start = measure_now(), seconds;

	for (size_t i = 0; i < nr; i++)
		ours.starts[i] = must_pin(ours.spans[(ours.oldest + i) % ours.nr]);
	seconds = measure_now() - start;
	if (before - mem_cgroup_swap_usage(ours.memcg) != ours.plan->step)
		workload_fail("they were not out");
	for (size_t i = 0; i < nr; i++) {
		size_t pos = (ours.oldest + i) % ours.nr;

		content_check(ours.starts[i], ours.plan->size, pos);
		span_unpin(ours.spans[pos]);
	}
	ours.oldest = (ours.oldest + nr) % ours.nr;
	return (double)ours.plan->step / seconds;
}

void ours_end(void)
{
	for (size_t i = 0; i < ours.nr; i++)
		span_put(ours.spans[i]);
	if (mem_cgroup_swap_usage(ours.memcg))
		workload_fail("something stayed in the file");
	free(ours.spans);
	free(ours.starts);
}
