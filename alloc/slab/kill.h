/* SPDX-License-Identifier: MIT */
/* How a heap dies with all it has; see kill.c. */
#ifndef ALLOC_SLAB_KILL_H
#define ALLOC_SLAB_KILL_H

#include "alloc/slab/heap.h"

/* Slabs and spans that were killed, by ->remote_next; each with a reference of its objcg. */
struct doomed {
	struct slab *slabs;
};

/* All slabs of a closed heap: what they hold is uncharged. cgroup_lock. */
void heap_kill(struct heap *heap, struct doomed *doomed);

/* One slab more, on no list: it is not counted any more. */
void doom_slab(struct doomed *doomed, struct slab *slab);

#endif
