/* SPDX-License-Identifier: MIT */
#include "bench/gbench_shim.h"

#include <benchmark/benchmark.h>

struct bench {
	benchmark::State &state;
};

static benchmark::internal::Benchmark *add(const char *name, bench_fn *fn, int64_t arg)
{
	auto *added = benchmark::RegisterBenchmark(name, [fn](benchmark::State &state) {
		struct bench bench = {state};

		fn(&bench);
	});

	return arg < 0 ? added : added->Arg(arg);
}

void bench_register(const char *name, bench_fn *fn, int64_t arg)
{
	add(name, fn, arg);
}

void bench_register_manual(const char *name, bench_fn *fn, int64_t arg)
{
	add(name, fn, arg)->UseManualTime();
}

bool bench_batch(struct bench *bench, int64_t n)
{
	return bench->state.KeepRunningBatch(n);
}

int64_t bench_arg(const struct bench *bench)
{
	return bench->state.range(0);
}

void bench_add_time(struct bench *bench, double seconds)
{
	bench->state.SetIterationTime(seconds);
}

void bench_fail(struct bench *bench, const char *message)
{
	bench->state.SkipWithError(message);
}

int bench_main(int argc, char **argv)
{
	benchmark::Initialize(&argc, argv);
	if (benchmark::ReportUnrecognizedArguments(argc, argv))
		return 2;
	benchmark::RunSpecifiedBenchmarks();
	benchmark::Shutdown();
	return 0;
}
