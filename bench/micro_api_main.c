/* SPDX-License-Identifier: MIT */
/* Micro benchmarks of cgslab's own interface; linked with the library. */
#include "bench/gbench_shim.h"
#include "bench/micro.h"

int main(int argc, char **argv)
{
	micro_empty_register();
	micro_slab_register();
	micro_memcg_register();
	return bench_main(argc, argv);
}
