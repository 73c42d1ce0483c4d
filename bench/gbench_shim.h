/* SPDX-License-Identifier: MIT */
/*
 * Google Benchmark for benchmarks written in C.
 *
 * A benchmark runs batches for as long as bench_batch() says so:
 *
 *	static void example(struct bench *bench)
 *	{
 *		while (bench_batch(bench, BATCH))
 *			for (unsigned i = 0; i < BATCH; i++)
 *				work(bench_arg(bench));
 *	}
 *
 * Batches keep the library, which Debian builds for debugging, out of the loop: it is asked once
 * a batch, so that with a hundred or more the cost per iteration cannot be seen.
 */
#ifndef BENCH_GBENCH_SHIM_H
#define BENCH_GBENCH_SHIM_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct bench; /* a benchmark while it runs */

typedef void bench_fn(struct bench *bench);

/* Adds a benchmark "NAME", or "NAME/ARG" if arg is not negative. Time is the thread's CPU time. */
void bench_register(const char *name, bench_fn *fn, int64_t arg);

/* The same for a benchmark that measures by itself and tells with bench_add_time(). */
void bench_register_manual(const char *name, bench_fn *fn, int64_t arg);

/* True: do `n` more iterations. False: stop; the time is up. */
bool bench_batch(struct bench *bench, int64_t n);

int64_t bench_arg(const struct bench *bench);

/* Adds to the time of the last batch. */
void bench_add_time(struct bench *bench, double seconds);

/* Marks the benchmark as failed; it should return. */
void bench_fail(struct bench *bench, const char *message);

/* Runs what is registered, by Google Benchmark's command line. Returns an exit status. */
int bench_main(int argc, char **argv);

/* The compiler must assume that memory was read and written. */
static inline void bench_clobber(void)
{
	__asm__ volatile("" ::: "memory");
}

/* The compiler must assume that the pointer, and what it points to, is used. */
static inline void bench_use(void *pointer)
{
	__asm__ volatile("" : : "r"(pointer) : "memory");
}

#ifdef __cplusplus
}
#endif

#endif
