/* SPDX-License-Identifier: MIT */
/* Threads that end and are born again until the deadline has passed. */
#ifndef TESTS_STRESS_CREW_H
#define TESTS_STRESS_CREW_H

#include "tests/stress/random.h"

struct crew {
	unsigned int threads; /* at once */
	/* One life of a thread: a few thousand operations. @place: below threads. */
	void (*life)(unsigned int place, struct random *random);
};

/*
 * Runs the crews of @crews, up to one without threads. @meanwhile, if not NULL,
 * is called by this thread again and again. Returns when all have ended.
 */
void crew_run(const struct crew *crews, void (*meanwhile)(void));

/* Calls @fn in a thread that ends with it, so that its stocks are gone. */
void crew_run_once(void (*fn)(void));

#endif
