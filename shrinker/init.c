/* SPDX-License-Identifier: MIT */
#include <pthread.h>

#include "shrinker/shrinker.h"

/* After slab's, so that ours is prepared first: our locks come before theirs. */
__attribute__((constructor(102))) static void shrinker_init(void)
{
	pthread_atfork(shrinkers_fork_prepare, shrinkers_fork_parent, shrinkers_fork_child);
}
