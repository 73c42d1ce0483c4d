/* SPDX-License-Identifier: MIT */
/*
 * All shrinkers, by id. docs/shrinkers.md tells how registration, walks and
 * shrinker_free() get along without waiting for each other.
 *
 * A shrinker and its id are one slot of a table, and stay so: the memory is never
 * anything else. A slot passes from one shrinker to the next at the end of
 * shrinker_free(). So a pointer from the table can always be followed; whether there
 * is a shrinker behind it, shrinker_tryget() says.
 */
#ifndef SHRINKER_SHRINKER_H
#define SHRINKER_SHRINKER_H

#include <cgslab/shrinker.h>

#include "alloc/base/compiler.h"
#include "shrinker/shrinker_slot.h"

#define SHRINKER_NAME_MAX 47
#define SHRINKER_STRIPES  8

/*
 * Those who run callbacks, by thread, so that they do not share a cache line:
 *
 *	31           2    1         0
 *	+--------------+------+------------+
 *	|  references  | dead | registered |
 *	+--------------+------+------------+
 *
 * It may be got when it is registered and not dead. Not dead and not registered: its
 * user has not come to that yet, and may have set bits already.
 */
#define SHRINKER_REGISTERED 0x1u
#define SHRINKER_DEAD	    0x2u
#define SHRINKER_REF	    0x4u

struct shrinker_stripe {
	uint32_t refs; /* atomic; pairs of shrinker_tryget() and shrinker_free() */
} __attribute__((aligned(CACHELINE)));

struct shrinker_body {
	struct shrinker shrinker; /* the user's; what is const is the library's */
	uint32_t generation;	  /* const in one life; of this slot */
	uint32_t warned;	  /* atomic: broken rules that were told of */
	char name[SHRINKER_NAME_MAX + 1];
	struct shrinker_slot slot; /* without SHRINKER_MEMCG_AWARE; atomic */

	/* shrinkers_lock */
	struct shrinker_body *next_free; /* nobody's */
	struct shrinker_body *freer;	 /* in whose callback shrinker_free() waits for this */
	bool awaited;			 /* shrinker_free() waits for callbacks */

	struct shrinker_stripe stripes[SHRINKER_STRIPES];
};

static inline struct shrinker_body *shrinker_body(struct shrinker *shrinker)
{
	return container_of(shrinker, struct shrinker_body, shrinker);
}

/* All ids are below; grows only. */
uint32_t shrinker_nr_ids(void);

/* Whether there is any shrinker. */
bool shrinkers_registered(void);

/* The slot; NULL only from shrinker_nr_ids() on. What is in it is another matter. */
struct shrinker_body *shrinker_by_id(uint32_t id);

/*
 * Takes a reference, which keeps shrinker_free() from returning and the id from
 * being another's; false unless it is registered. It is for the calling thread.
 */
bool shrinker_tryget(struct shrinker_body *body);
void shrinker_put(struct shrinker_body *body);

/* The same for a moment in which no callback is called. */
bool shrinker_try_pin(struct shrinker_body *body);
void shrinker_unpin(struct shrinker_body *body);

/* Whether the shrinker was freed, and the slot is not the next one's yet. */
bool shrinker_is_dead(const struct shrinker_body *body);

/* What the calling thread has got and not put: one at a time, or NULL. */
extern __thread struct shrinker_body *shrinker_running __attribute__((tls_model("initial-exec")));

void shrinkers_fork_prepare(void);
void shrinkers_fork_done(void);
void shrinkers_fork_child(void); /* after that */

#endif
