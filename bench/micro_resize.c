/* SPDX-License-Identifier: MIT */
/* calloc, and realloc that grows an object or leaves it where it is. */
#include <stdlib.h>

#include "bench/gbench_shim.h"
#include "bench/micro.h"

#define LIVE 64 /* objects that calloc has out at a time: memory is recycled, not fresh */

static void zeroed(struct bench *bench)
{
	size_t size = (size_t)bench_arg(bench);
	void *objects[LIVE] = {NULL};

	while (bench_batch(bench, MICRO_BATCH)) {
		for (unsigned i = 0; i < MICRO_BATCH; i++) {
			void **slot = &objects[i % LIVE];

			free(*slot);
			*slot = calloc(1, size);
			bench_use(*slot);
		}
	}
	for (unsigned i = 0; i < LIVE; i++)
		free(objects[i]);
}

static void *resized(void *p, size_t size)
{
	p = realloc(p, size);
	if (!p)
		abort();
	bench_use(p);
	return p;
}

/* One iteration is one realloc, from 16 bytes on by half as much again up to the argument. */
static void realloc_grow(struct bench *bench)
{
	size_t max = (size_t)bench_arg(bench), size = 16;
	void *p = NULL;

	while (bench_batch(bench, MICRO_BATCH)) {
		for (unsigned i = 0; i < MICRO_BATCH; i++) {
			p = resized(p, size);
			size += size / 2;
			if (size <= max)
				continue;
			free(p);
			p = NULL;
			size = 16;
		}
	}
	free(p);
}

/* One iteration is one realloc by a byte or two less than there is. */
static void realloc_in_place(struct bench *bench)
{
	size_t size = (size_t)bench_arg(bench);
	void *p = resized(NULL, size);

	while (bench_batch(bench, MICRO_BATCH))
		for (unsigned i = 0; i < MICRO_BATCH; i++)
			p = resized(p, size - (i & 1) - 1);
	free(p);
}

void micro_resize_register(void)
{
	for (int64_t size = 16; size <= 65536; size *= 16)
		bench_register("calloc", zeroed, size);
	bench_register("realloc_grow", realloc_grow, 4096);
	bench_register("realloc_grow", realloc_grow, 1 << 20);
	bench_register("realloc_in_place", realloc_in_place, 256);
	bench_register("realloc_in_place", realloc_in_place, 4096);
}
