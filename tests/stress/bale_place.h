/* SPDX-License-Identifier: MIT */
/* Where threads leave bales for each other. */
#ifndef TESTS_STRESS_BALE_PLACE_H
#define TESTS_STRESS_BALE_PLACE_H

#include <pthread.h>

#include "tests/stress/bale.h"

struct place {
	pthread_mutex_t lock;
	struct bale *bale; /* a reference; lock */
};

void places_init(struct place *places, int nr);

static inline struct place *any_place(struct random *random, struct place *places, uint32_t nr)
{
	return &places[random_below(random, nr)];
}

/* Puts @bale, or nothing, there, and returns what was there. */
struct bale *place_exchange(struct place *place, struct bale *bale);

/* With a reference; NULL if there is none. */
struct bale *place_get(struct place *place);

/* Looks at what is there, changes it, or gives it another span. */
void place_use(struct random *random, struct place *place);

/* Only looks at it, if there is one. */
void place_check(struct random *random, struct place *place);

/* Looks at all: nothing may be lost. */
void places_check(struct place *places, int nr);

/* Puts all. */
void places_empty(struct place *places, int nr);

#endif
