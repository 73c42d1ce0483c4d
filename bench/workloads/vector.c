/* SPDX-License-Identifier: MIT */
/*
 * Growth by realloc. "one": a single vector grows by half each time, to 64 MiB, as when a file
 * of unknown length is read; "many": a thousand vectors grow by turns, a little each time.
 */
#include <stdlib.h>

#include "bench/workloads/rng.h"
#include "bench/workloads/workload.h"

#define VECTORS 1024
#define RECORD	64 /* bytes; the first word of each holds its index */

enum { ONE, MANY };

struct vector {
	unsigned char *bytes;
	size_t records;
};

static uint64_t *vector_word(struct vector *v, size_t record)
{
	return (uint64_t *)(v->bytes + record * RECORD);
}

/* Appends `more` records; returns their number. */
static size_t vector_grow(struct vector *v, size_t more)
{
	size_t records = v->records + more;
	unsigned char *bytes = realloc(v->bytes, records * RECORD);

	if (!bytes)
		workload_fail("out of memory");
	v->bytes = bytes;
	for (size_t i = v->records; i < records; i++)
		*vector_word(v, i) = i;
	v->records = records;
	return more;
}

/* Checks that the records came through every move; returns the checksum. */
static uint64_t vector_release(struct vector *v)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < v->records; i++) {
		if (*vector_word(v, i) != i)
			workload_fail("realloc lost a record");
		sum += i;
	}
	free(v->bytes);
	*v = (struct vector){0};
	return sum;
}

static uint64_t run_one(const struct workload_params *params)
{
	const size_t max = (64u << 20) / RECORD;
	struct vector v = {0};
	uint64_t sum = 0, appended = 0;

	while (appended < params->ops) {
		if (v.records > max)
			sum += vector_release(&v);
		appended += vector_grow(&v, v.records / 2 + 1);
	}
	return sum + vector_release(&v);
}

static uint64_t run_many(const struct workload_params *params)
{
	static struct vector vectors[VECTORS];
	const size_t max = (16u << 10) / RECORD;
	struct rng rng = rng_make(params->seed, 0);
	uint64_t sum = 0, appended = 0;

	while (appended < params->ops) {
		struct vector *v = &vectors[rng_below(&rng, VECTORS)];

		if (v->records > max)
			sum += vector_release(v);
		appended += vector_grow(v, v->records / 8 + 1);
	}
	for (unsigned i = 0; i < VECTORS; i++)
		sum += vector_release(&vectors[i]);
	return sum;
}

static uint64_t run(const struct workload_params *params)
{
	return params->mode == ONE ? run_one(params) : run_many(params);
}

const struct workload workload = {
	.about = "vectors that grow by realloc; an op is a record appended",
	.modes = {[ONE] = "one", [MANY] = "many"},
	.defaults = {.ops = 20000000},
	.run = run,
};
