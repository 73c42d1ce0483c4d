/* SPDX-License-Identifier: MIT */
/*
 * Shrinkers: what a program can spare, to be taken when memory is short.
 *
 * A cache that could be made smaller registers a shrinker: a function that counts
 * what could be freed, and one that frees so much of it. When a group reaches its
 * limit, or the machine is short of memory, the library calls them. Names and
 * meanings follow include/linux/shrinker.h.
 *
 * The contract of callbacks
 *
 *   When they run: in a thread that allocates, at the limit of a group; in one that
 *   writes a limit or asks for reclaim; in the reclaim thread. Several threads may run
 *   the same callback at the same time, for one group too. The library holds no lock
 *   of its own meanwhile, and is in no RCU read section. But who allocates may hold
 *   locks of the program's, so it depends on how he does which shrinkers run in his
 *   thread, at once:
 *
 *	kmalloc() & co with GFP_KERNEL		all
 *	malloc() & co, GFP_NOFS, and within	those with SHRINKER_MALLOC_SAFE; the
 *	memalloc_nofs_save()			others in the reclaim thread, for which
 *						he waits a moment
 *	GFP_NOWAIT, and within			none
 *	memalloc_noreclaim_save()
 *
 *   What they may do: allocate and free; what is charged meanwhile may pass limits, goes
 *   to the process's group if they do not choose another, and causes no further
 *   reclaim. Take locks that nobody holds while he allocates in a way that runs them.
 *   Register shrinkers and free others. Make and remove groups. Enter RCU read
 *   sections, wait for grace periods. Fork.
 *
 *   What they may not: free their own shrinker, or wait for what only another callback
 *   can do that waits for them: two that free each other's shrinkers stop the program,
 *   with a message. Kill the group. End the thread, or leave the callback by longjmp()
 *   or an exception. What a callback begins it ends before it returns: read sections,
 *   scopes, a change of the active group.
 *
 *   What can be seen to break a rule is told of on stderr, once for each shrinker and
 *   rule; where to go on would be worse the program is stopped.
 */
#ifndef CGSLAB_SHRINKER_H
#define CGSLAB_SHRINKER_H

#include <cgslab/gfp.h>
#include <cgslab/memcg.h>

#ifdef __cplusplus
extern "C" {
#endif

struct shrink_control {
	gfp_t gfp_mask; /* of the allocation that is short of memory */
	int nid;	/* 0 */

	/* For scan_objects(): look at so many objects, and free those you can. */
	unsigned long nr_to_scan;

	/*
	 * How many were looked at: nr_to_scan, unless scan_objects() says that it
	 * was less.
	 */
	unsigned long nr_scanned;

	/*
	 * The group whose objects are wanted, with a reference for the length of the
	 * call; NULL for shrinkers without SHRINKER_MEMCG_AWARE.
	 */
	struct mem_cgroup *memcg;
};

/* Returned by scan_objects(): no progress can be made now; ask again later. */
#define SHRINK_STOP (~0ul)

/*
 * Returned by count_objects(): the group has no objects at all. A shrinker with
 * SHRINKER_MEMCG_AWARE is not asked about that group again until its bit is set
 * (set_shrinker_bit()).
 */
#define SHRINK_EMPTY (~0ul - 1)

/* How dear an object is to make again, compared with others: 1 is cheap. */
#define DEFAULT_SEEKS 2

/* How many objects one call of scan_objects() is asked for, if ->batch is 0. */
#define SHRINK_BATCH 128

/* Counts and frees by group, and is asked only about groups whose bit is set. */
#define SHRINKER_MEMCG_AWARE 0x1u
#define SHRINKER_NUMA_AWARE  0x2u /* accepted: there is one node, 0 */
#define SHRINKER_NONSLAB     0x4u /* accepted: everything is charged */

/*
 * Safe inside malloc(): the callbacks take no lock that anybody holds while he calls
 * malloc() or its like, and can live with whatever he is in the middle of.
 */
#define SHRINKER_MALLOC_SAFE 0x8u

struct shrinker {
	/*
	 * How many objects could be freed now, 0 if none can (or they are too few
	 * to be worth it), or SHRINK_EMPTY. An estimate is enough; no waiting.
	 */
	unsigned long (*count_objects)(struct shrinker *shrinker, struct shrink_control *sc);

	/*
	 * Looks at sc->nr_to_scan objects, and returns how many of them it has freed,
	 * or SHRINK_STOP. Called only after count_objects() has found some. One that
	 * frees nothing again and again is left alone for a while, up to a second,
	 * unless memory is very short.
	 */
	unsigned long (*scan_objects)(struct shrinker *shrinker, struct shrink_control *sc);

	long batch;	    /* 0: SHRINK_BATCH */
	int seeks;	    /* DEFAULT_SEEKS after shrinker_alloc(); 0: free half at any pressure */
	unsigned int flags; /* const: shrinker_alloc()'s */
	int id;		    /* const: for set_shrinker_bit() */

	void *private_data; /* the user's */
};

/*
 * A shrinker, to be filled in and registered. The name is for messages and cut at
 * 47 bytes. Returns NULL with errno EINVAL (flags) or ENOMEM.
 *
 * Bits may be set for it from now on.
 */
__attribute__((format(printf, 2, 3))) struct shrinker *shrinker_alloc(unsigned int flags,
								      const char *fmt, ...)
	CGSLAB_API(shrinker_alloc);

/*
 * Its callbacks may be called from now on. Costs the same however many groups and
 * shrinkers there are, and waits for none. A shrinker without both callbacks, or
 * one that is registered already, stops the program. With the first one the library
 * begins to watch how much memory the machine has (docs/pressure.md).
 */
void shrinker_register(struct shrinker *shrinker) CGSLAB_API(shrinker_register);

/*
 * Its callbacks are called no more, from now on, and those that run have returned
 * when this does: waits for them, and for nothing else. Takes a shrinker that was
 * not registered too; NULL is allowed. Objects are the caller's.
 *
 * May be called in a callback of another shrinker; in one of its own it stops the
 * program, and so do callbacks that would wait for each other. The caller holds
 * no lock that the callbacks take. May not be called in an RCU read section: a
 * callback may wait for a grace period.
 */
void shrinker_free(struct shrinker *shrinker) CGSLAB_API(shrinker_free);

/*
 * @memcg may have objects of the shrinker with that id: to be called after one was
 * added. list_lru does it by itself. Takes no lock but that of the metadata, under
 * which nothing else is done: may be called with any lock held.
 *
 *	the user			the library
 *	------------------------	------------------------
 *	add the object			clear the bit
 *	set_shrinker_bit()		count_objects() again
 *					set the bit unless SHRINK_EMPTY
 *
 * The caller holds a reference of the group, or is in an RCU read section in which
 * he found it.
 */
void set_shrinker_bit(struct mem_cgroup *memcg, int shrinker_id) CGSLAB_API(set_shrinker_bit);

#ifdef __cplusplus
}
#endif

#endif
