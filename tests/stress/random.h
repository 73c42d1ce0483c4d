/* SPDX-License-Identifier: MIT */
/* A small generator (xorshift64*), one for each thread, so that runs repeat. */
#ifndef TESTS_STRESS_RANDOM_H
#define TESTS_STRESS_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct random {
	uint64_t state; /* never 0 */
};

static inline void random_seed(struct random *random, uint64_t seed)
{
	random->state = (seed + 1) * 0x9e3779b97f4a7c15ull | 1;
}

static inline uint32_t random_next(struct random *random)
{
	random->state ^= random->state >> 12;
	random->state ^= random->state << 25;
	random->state ^= random->state >> 27;
	return (uint32_t)((random->state * 0x2545f4914f6cdd1dull) >> 32);
}

/* 0 to @n - 1. */
static inline uint32_t random_below(struct random *random, uint32_t n)
{
	return (uint32_t)((uint64_t)random_next(random) * n >> 32);
}

static inline int random_chance(struct random *random, uint32_t one_in)
{
	return random_below(random, one_in) == 0;
}

/* 1 to @most, small ones as often as large ones. */
static inline size_t random_size(struct random *random, size_t most)
{
	size_t size = most >> random_below(random, 12);

	return 1 + random_below(random, (uint32_t)(size ? size : 1));
}

#endif
