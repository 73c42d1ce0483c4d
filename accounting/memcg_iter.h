/* SPDX-License-Identifier: MIT */
/*
 * The two halves of a step of a shared walk; memcg_iter.c tells how they work.
 * Between them anything may happen, and tests make it happen.
 */
#ifndef ACCOUNTING_MEMCG_ITER_H
#define ACCOUNTING_MEMCG_ITER_H

#include "accounting/mem_cgroup.h"

#define ITER_GENERATION_BITS 12
#define ITER_DEAD_COUNT_BITS 30

/* memcg->iter */
union memcg_iter {
	uint64_t word;
	struct {
		uint64_t last_visited : COUNTERS_INDEX_BITS; /* small id; 0: none */
		uint64_t generation : ITER_GENERATION_BITS;
		uint64_t dead_count : ITER_DEAD_COUNT_BITS;
	};
};

_Static_assert(COUNTERS_INDEX_BITS + ITER_GENERATION_BITS + ITER_DEAD_COUNT_BITS == 64, "one word");

/* The group after the position in *@old, with a reference; NULL at the end. */
struct mem_cgroup *memcg_iter_find(struct mem_cgroup *root, union memcg_iter *old);

/* Whether the walk was at @old still, and is at @next now, or over. */
bool memcg_iter_try_advance(struct mem_cgroup *root, union memcg_iter old, struct mem_cgroup *next);

#endif
