/* SPDX-License-Identifier: MIT */
/* Spans that are there, or the end of the program. */
#ifndef BENCH_MUST_H
#define BENCH_MUST_H

#include <cgslab/memcg.h>
#include <cgslab/slab.h>
#include <cgslab/span.h>

#include "bench/workloads/workload.h"

#define PAGE 4096u

/* Makes a group with a limit that is far away, and enters it. */
static inline struct mem_cgroup *must_enter_group(void)
{
	struct mem_cgroup *memcg = mem_cgroup_create(NULL, "group");

	if (!memcg || mem_cgroup_set_max(memcg, 1ULL << 40))
		workload_fail("no group");
	set_active_memcg(memcg);
	return memcg;
}

static inline struct span *must_alloc(size_t size, unsigned int flags)
{
	struct span *span = span_alloc(size, GFP_KERNEL | flags);

	if (!span)
		workload_fail("no span");
	return span;
}

static inline void *must_pin(struct span *span)
{
	void *start = span_pin(span);

	if (!start)
		workload_fail("not pinned");
	return start;
}

#endif
