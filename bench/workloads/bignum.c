/* SPDX-License-Identifier: MIT */
/*
 * Short-lived small objects, as in number theory programs: every intermediate result of an
 * iteration x = x * x + c modulo 2^127 - 1 is a number on the heap, freed when it was used.
 */
#include <stdlib.h>
#include <string.h>

#include "bench/workloads/workload.h"

#define FIELD_LIMBS 4u /* 128 bits; the modulus is one bit shorter */
#define TOP_MASK    0x7fffffffu

struct number {
	uint32_t limbs;	 /* no leading zero limbs, but at least one limb */
	uint32_t limb[]; /* least significant first */
};

static struct number *number_new(uint32_t limbs)
{
	struct number *n = malloc(sizeof(*n) + limbs * sizeof(n->limb[0]));

	if (!n)
		workload_fail("out of memory");
	n->limbs = limbs;
	memset(n->limb, 0, limbs * sizeof(n->limb[0]));
	return n;
}

static struct number *number_trim(struct number *n)
{
	while (n->limbs > 1 && !n->limb[n->limbs - 1])
		n->limbs--;
	return n;
}

static uint32_t limb_or_zero(const struct number *n, uint32_t i)
{
	return i < n->limbs ? n->limb[i] : 0;
}

/* The operations use up their operands and return a new number. */

static struct number *number_add(struct number *a, struct number *b)
{
	uint32_t limbs = (a->limbs > b->limbs ? a->limbs : b->limbs) + 1;
	struct number *sum = number_new(limbs);
	uint64_t carry = 0;

	for (uint32_t i = 0; i < limbs; i++) {
		carry += (uint64_t)limb_or_zero(a, i) + limb_or_zero(b, i);
		sum->limb[i] = (uint32_t)carry;
		carry >>= 32;
	}
	free(a);
	free(b);
	return number_trim(sum);
}

static struct number *number_square(struct number *a)
{
	struct number *square = number_new(2 * a->limbs);

	for (uint32_t i = 0; i < a->limbs; i++) {
		uint64_t carry = 0;

		for (uint32_t j = 0; j < a->limbs; j++) {
			carry += (uint64_t)a->limb[i] * a->limb[j] + square->limb[i + j];
			square->limb[i + j] = (uint32_t)carry;
			carry >>= 32;
		}
		square->limb[i + a->limbs] = (uint32_t)carry;
	}
	free(a);
	return number_trim(square);
}

static struct number *number_low(const struct number *a)
{
	struct number *low = number_new(FIELD_LIMBS);

	for (uint32_t i = 0; i < FIELD_LIMBS; i++)
		low->limb[i] = limb_or_zero(a, i);
	low->limb[FIELD_LIMBS - 1] &= TOP_MASK;
	return number_trim(low);
}

static struct number *number_high(const struct number *a)
{
	uint32_t limbs = a->limbs - FIELD_LIMBS + 1;
	struct number *high = number_new(limbs);

	for (uint32_t i = 0; i < limbs; i++) {
		uint32_t at = i + FIELD_LIMBS - 1;

		high->limb[i] = limb_or_zero(a, at) >> 31 | limb_or_zero(a, at + 1) << 1;
	}
	return number_trim(high);
}

/* 2^127 is 1: what lies above is added below, until nothing is left above. */
static struct number *number_reduce(struct number *a)
{
	while (a->limbs > FIELD_LIMBS || limb_or_zero(a, FIELD_LIMBS - 1) > TOP_MASK) {
		struct number *low = number_low(a), *high = number_high(a);

		free(a);
		a = number_add(low, high);
	}
	return a;
}

static struct number *number_from(uint32_t value)
{
	struct number *n = number_new(1);

	n->limb[0] = value;
	return n;
}

static uint64_t run(const struct workload_params *params)
{
	struct number *x = number_from((uint32_t)params->seed + 3);
	uint64_t sum = 0;

	/* A step makes seven numbers or so. */
	for (uint64_t step = 0; step < params->ops / 7 + 1; step++) {
		x = number_reduce(number_add(number_square(x), number_from((uint32_t)step | 1)));
		sum = sum * 31 + x->limb[0];
	}
	free(x);
	return sum;
}

const struct workload workload = {
	.about = "arithmetic on small heap numbers that die at once",
	.defaults = {.ops = 40000000},
	.run = run,
};
