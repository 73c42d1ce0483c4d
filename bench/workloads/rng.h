/* SPDX-License-Identifier: MIT */
/* A small fast generator (xorshift64*): its cost must not hide that of an allocation. */
#ifndef BENCH_RNG_H
#define BENCH_RNG_H

#include <stddef.h>
#include <stdint.h>

struct rng {
	uint64_t state; /* never 0 */
};

/* `stream` tells apart the generators of one run: thread, generation, purpose. */
static inline struct rng rng_make(uint64_t seed, uint64_t stream)
{
	uint64_t z = seed + (stream + 1) * 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return (struct rng){(z ^ (z >> 31)) | 1};
}

static inline uint32_t rng_next(struct rng *rng)
{
	uint64_t x = rng->state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	rng->state = x;
	return (uint32_t)((x * 0x2545f4914f6cdd1du) >> 32);
}

/* Uniform in [0, n), without a division. */
static inline uint32_t rng_below(struct rng *rng, uint32_t n)
{
	return (uint32_t)(((uint64_t)rng_next(rng) * n) >> 32);
}

/* Uniform in [lo, hi]. */
static inline size_t rng_between(struct rng *rng, size_t lo, size_t hi)
{
	return lo + rng_below(rng, (uint32_t)(hi - lo + 1));
}

/* Every power of two from 1 << lo_shift up to 1 << hi_shift has the same share. */
static inline size_t rng_log_between(struct rng *rng, unsigned lo_shift, unsigned hi_shift)
{
	size_t base = (size_t)1 << (lo_shift + rng_below(rng, hi_shift - lo_shift));

	return base + rng_below(rng, (uint32_t)base + 1);
}

#endif
