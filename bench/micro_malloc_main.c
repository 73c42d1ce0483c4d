/* SPDX-License-Identifier: MIT */
/* Micro benchmarks of malloc & co, under whichever allocator is preloaded. */
#include "bench/gbench_shim.h"
#include "bench/micro.h"

int main(int argc, char **argv)
{
	micro_empty_register();
	micro_pairs_register();
	micro_remote_register();
	micro_resize_register();
	return bench_main(argc, argv);
}
