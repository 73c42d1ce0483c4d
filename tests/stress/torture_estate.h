/* SPDX-License-Identifier: MIT */
/*
 * Groups that are killed with what is in them. Nobody may free or look at that
 * afterwards, so each such subtree and its parcels are one thread's alone.
 */
#ifndef TESTS_STRESS_TORTURE_ESTATE_H
#define TESTS_STRESS_TORTURE_ESTATE_H

#include "tests/stress/random.h"

/* Makes a subtree somewhere, fills it, frees some of it and kills it. */
void estate_rise_and_fall(struct random *random);

unsigned long estates_killed(void);

#endif
