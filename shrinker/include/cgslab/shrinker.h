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
 *   When they run. In a thread that allocates, at the limit of its group; in one
 *   that writes a limit or asks for reclaim; and in the reclaim thread. Several
 *   threads may run the same callback at the same time, for one group too. The
 *   library holds no lock of its own meanwhile, and is in no RCU read section. A
 *   thread that allocates may hold locks of the program's, whence:
 *
 *     kmalloc() & co with GFP_KERNEL	every shrinker may run
 *     malloc() & co, and GFP_NOFS	only those with SHRINKER_MALLOC_SAFE; others
 *					run in the reclaim thread
 *     GFP_NOWAIT			none
 *
 *   What they may do. Allocate and free: what is charged meanwhile may pass limits,
 *   and causes no further reclaim. Take locks that nobody holds while he allocates in
 *   a way that may run them. Register shrinkers and free others. Take references
 *   of groups, make groups and remove others. Enter an RCU read section and leave
 *   it, wait for a grace period, change the active group and change it back.
 *
 *   What they may not do. Free their own shrinker, or wait for what only another
 *   callback of theirs can do; two callbacks that free each other's shrinkers stop the
 *   program with a message. Fork is fine; ending the thread, longjmp() and exceptions that leave
 *   the callback are not. What a callback took it gives back before it returns:
 *   read sections, scopes (memalloc_noreclaim_save()), the active group.
 *   A callback that breaks a rule that can be seen is told of on stderr, once.
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
 * Safe inside malloc(): the callbacks take no lock that anybody holds while he
 * calls malloc(), or free() in a debug build, and can live with whatever the
 * caller of malloc() was in the middle of.
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
	 * or SHRINK_STOP. Called only after count_objects() has found some.
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
 * one that is registered already, stops the program.
 */
void shrinker_register(struct shrinker *shrinker) CGSLAB_API(shrinker_register);

/*
 * Its callbacks are called no more, from now on, and those that run have returned
 * when this does: waits for them, and for nothing else. Takes a shrinker that was
 * not registered too; NULL is allowed. Objects are the caller's.
 *
 * May be called in a callback of another shrinker; in one of its own it stops the
 * program, and so do callbacks that would wait for each other. The caller holds
 * no lock that the callbacks take. May not be called in an RCU read section.
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
