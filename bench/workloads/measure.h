/* SPDX-License-Identifier: MIT */
/* What a workload measures of itself, where elapsed time and peak RSS do not say enough. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stdint.h>

/* What is resident now. Allocates nothing. */
uint64_t measure_rss_bytes(void);

/* CPU time of the calling thread, and of all. */
double measure_thread_seconds(void);
double measure_process_seconds(void);

/* A clock on the wall. */
double measure_now(void);

/* Sorts them. */
double measure_median(double *values, unsigned count);

/* Prints a line "measure NAME VALUE". */
void measure_print(const char *name, double value);

#endif
