/* SPDX-License-Identifier: MIT */
/*
 * The frame of a workload program.
 *
 * A workload is one C file that defines `workload`; harness.c brings main(), which reads
 * the options, calls run() once and prints the checksum. Everything run() allocated is
 * freed when it returns, so that what stays resident afterwards is the allocator's doing.
 *
 * The checksum depends on the options only, not on the allocator and not on how threads
 * interleave: two allocators that disagree have a bug between them.
 */
#ifndef BENCH_WORKLOAD_H
#define BENCH_WORKLOAD_H

#include <stdint.h>

#define WORKLOAD_MAX_THREADS 64u

struct workload_params {
	uint64_t ops;	  /* allocations, about, unless .about says else; shared by the threads */
	unsigned threads; /* 0 in the defaults: as many as there are CPUs, 2 to 16 */
	uint64_t live;	  /* objects or bytes alive at a time, where .about says so */
	uint64_t seed;
	unsigned mode; /* index into workload.modes */
};

struct workload {
	const char *about;
	const char *modes[8]; /* names for --mode; none where there is only one */
	struct workload_params defaults;
	uint64_t (*run)(const struct workload_params *params); /* returns the checksum */
};

extern const struct workload workload;

/* Prints "PROGRAM: message" and exits 1: for a workload that cannot go on. */
_Noreturn void workload_fail(const char *message);

#endif
