/* SPDX-License-Identifier: MIT */
/*
 * Spans that threads use at once: each knows its content, which is looked at whenever somebody
 * pins it. Most functions are for who has a reference of the bale.
 */
#ifndef TESTS_STRESS_BALE_H
#define TESTS_STRESS_BALE_H

#include <cgslab/memcg.h>
#include <cgslab/span.h>

#include "tests/stress/random.h"

struct bale;

/*
 * A span of up to @largest bytes, perhaps a block of malloc(); charged to the calling
 * thread's group. NULL if it is refused.
 */
struct bale *bale_make(struct random *random, size_t largest);

void bale_get(struct bale *bale);

/* The last one frees it. NULL is allowed. */
void bale_put(struct bale *bale);

/* Its span was killed, and nobody uses it. */
void bale_forget(struct bale *bale);

/* Pins it, looks at its content, and may leave a pin for others. 0, or why it cannot be pinned. */
int bale_check(struct random *random, struct bale *bale);

/* Gives it other content, unless others are at it. */
void bale_rewrite(struct random *random, struct bale *bale);

/* Gives its content another span, unless others are at it. */
void bale_migrate(struct random *random, struct bale *bale);

/* Whether the span is @to's now. */
bool bale_transfer(struct bale *bale, struct mem_cgroup *to);

/* Whether nobody else has it; the caller has taken it from where others find it. */
bool bale_is_alone(const struct bale *bale);

/* As span_memcg(); nobody uses the bale. */
struct mem_cgroup *bale_memcg(const struct bale *bale);

/* A block of malloc() is freed, or is copied by krealloc(). */
void bale_free_block(struct random *random, struct bale *bale);

/* Atomic: what was done, of all bales. */
struct bale_counts {
	unsigned long made, refused, pinned, lost, parked, rewritten, migrated, transferred, blocks;
};

extern struct bale_counts bale_counts;

static inline void bale_count(unsigned long *what)
{
	__atomic_add_fetch(what, 1, __ATOMIC_RELAXED);
}

#endif
