/* SPDX-License-Identifier: MIT */
/*
 * A malloc and its free, by size and by the order of the frees: at once ("pair"), or in batches,
 * last first ("lifo"), first first ("fifo"), and shuffled ("random"). One iteration is one
 * malloc, a write to the memory, and one free.
 */
#include <stdlib.h>

#include "bench/gbench_shim.h"
#include "bench/micro.h"

static unsigned lifo_order[MICRO_BATCH], fifo_order[MICRO_BATCH], random_order[MICRO_BATCH];

static unsigned char *touched(size_t size)
{
	unsigned char *p = malloc(size);

	if (!p)
		abort();
	*p = 1;
	bench_use(p);
	return p;
}

static void pair(struct bench *bench)
{
	size_t size = (size_t)bench_arg(bench);

	while (bench_batch(bench, MICRO_BATCH))
		for (unsigned i = 0; i < MICRO_BATCH; i++)
			free(touched(size));
}

static void batches(struct bench *bench, const unsigned *order)
{
	size_t size = (size_t)bench_arg(bench);
	unsigned char *objects[MICRO_BATCH];

	while (bench_batch(bench, MICRO_BATCH)) {
		for (unsigned i = 0; i < MICRO_BATCH; i++)
			objects[i] = touched(size);
		for (unsigned i = 0; i < MICRO_BATCH; i++)
			free(objects[order[i]]);
	}
}

static void lifo(struct bench *bench)
{
	batches(bench, lifo_order);
}

static void fifo(struct bench *bench)
{
	batches(bench, fifo_order);
}

static void shuffled(struct bench *bench)
{
	batches(bench, random_order);
}

static void fill_orders(void)
{
	unsigned state = 1;

	for (unsigned i = 0; i < MICRO_BATCH; i++) {
		unsigned j;

		lifo_order[i] = MICRO_BATCH - 1 - i;
		fifo_order[i] = i;
		state = state * 1664525 + 1013904223;
		j = (state >> 8) % (i + 1);
		random_order[i] = random_order[j];
		random_order[j] = i;
	}
}

void micro_pairs_register(void)
{
	static const struct {
		const char *name;
		bench_fn *fn;
	} orders[] = {{"pair", pair}, {"lifo", lifo}, {"fifo", fifo}, {"random", shuffled}};

	fill_orders();
	for (unsigned i = 0; i < sizeof(orders) / sizeof(orders[0]); i++)
		for (int64_t size = 16; size <= 65536; size *= 4)
			bench_register(orders[i].name, orders[i].fn, size);
}
