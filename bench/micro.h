/* SPDX-License-Identifier: MIT */
/* The groups of micro benchmarks; each file registers its own. */
#ifndef BENCH_MICRO_H
#define BENCH_MICRO_H

/* Iterations that are made between two questions to the benchmark library. */
#define MICRO_BATCH 256

/* malloc & co, under whichever allocator is preloaded: micro_malloc. */
void micro_empty_register(void);
void micro_pairs_register(void);
void micro_remote_register(void);
void micro_resize_register(void);

/* cgslab's own interface: micro_api. */
void micro_slab_register(void);
void micro_memcg_register(void);

#endif
