/* SPDX-License-Identifier: MIT */
/* Nothing: what measuring itself costs an iteration. */
#include "bench/gbench_shim.h"
#include "bench/micro.h"

static void empty(struct bench *bench)
{
	while (bench_batch(bench, MICRO_BATCH))
		for (unsigned i = 0; i < MICRO_BATCH; i++)
			bench_clobber();
}

void micro_empty_register(void)
{
	bench_register("empty", empty, -1);
}
