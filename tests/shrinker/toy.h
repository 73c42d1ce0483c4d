/* SPDX-License-Identifier: MIT */
/*
 * A shrinker that does as it is told, and notes what it was asked. Its objects are a
 * number.
 */
#ifndef TESTS_SHRINKER_TOY_H
#define TESTS_SHRINKER_TOY_H

#include <cgslab/shrinker.h>

#include "shrinker/shrink.h"
#include "shrinker/shrinker.h"

struct toy {
	struct shrinker *shrinker;
	unsigned long objects; /* count_objects() returns them, whatever they are */

	/* What scan_objects() is to do, if not to free all it is asked for. */
	bool stop;	       /* return SHRINK_STOP */
	bool keep;	       /* look at them and free none */
	unsigned long at_most; /* look at so many of those it is asked for; 0: all */
	void (*during)(struct toy *toy, struct shrink_control *sc); /* in each scan */
	void (*counting)(struct toy *toy, struct shrink_control *sc);

	/* What it was asked. */
	unsigned int counts, scans;
	unsigned long asked; /* objects, in all */
	unsigned long last_batch;
	struct mem_cgroup *memcg; /* by the last call */
};

/* Allocates and registers. @flags: SHRINKER_MEMCG_AWARE and others. */
void toy_start(struct toy *toy, unsigned int flags, const char *name);
void toy_end(struct toy *toy);

/* One call for one group, or for global shrinkers if it is NULL. */
unsigned long toy_shrink(struct mem_cgroup *memcg, int priority);

/* What is deferred for the toy there; it stays. NULL: the one count of a global one. */
unsigned long toy_deferred(struct toy *toy, struct mem_cgroup *memcg);

/* Whether the group has the toy's bit. */
bool toy_bit(struct toy *toy, struct mem_cgroup *memcg);

#endif
