/* SPDX-License-Identifier: MIT */
/* Groups that come and go at any depth, and that anybody may get hold of. */
#ifndef TESTS_STRESS_TORTURE_TREE_H
#define TESTS_STRESS_TORTURE_TREE_H

#include <cgslab/memcg.h>

#include "tests/stress/random.h"

/* Makes the group above all of them. */
void tree_plant(void);
struct mem_cgroup *tree_top(void);

/* A group that was online just now, with a reference, or NULL. */
struct mem_cgroup *tree_get(struct random *random);

/* Makes a group, or removes one if nobody is inside. */
void tree_change(struct random *random);

/* Walks some subtree, alone or with others, and at times not to its end. */
void tree_walk(struct random *random);

/* Removes all of them. Nobody is inside, and nothing is charged. */
void tree_fell(void);

/* How many were removed, since the program began. */
unsigned long tree_removed(void);

#endif
