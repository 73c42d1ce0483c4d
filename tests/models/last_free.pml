/* SPDX-License-Identifier: MIT */
/*
 * The last free of a dead cache against all that may happen to it meanwhile: the
 * group goes offline, or is killed when nothing is in use any more; the cache is
 * shrunk, and at last destroyed by its user (alloc/slab/remote.c, heap_trim.c,
 * kill.c, kmem_cache_destroy.c).
 *
 * One slab has two objects, which two threads free; what becomes of a list of
 * frees is told in remote.pml. References: of the cache, being alive and the
 * slab's; of the obj_cgroup, the group's and that of a slab without owner.
 *
 * Each of these puts a known bug back, or takes away what the protocol needs, and
 * must be found out:
 *   KEEP_EMPTY     rmdir leaves an empty slab in place, for speed: who reaps it?
 *   PUT_EARLY      who gives a slab back looks at the cache when it has put it
 *   NO_SLAB_REF    a slab holds no reference of its cache
 *   OBJCG_LATE     rmdir takes the slab's reference when it has no owner already
 *   COUNT_FIRST    rmdir counts the objects, and sets the number later
 *   NO_HEAP_LOCK   a cache is shrunk and buried without the lock of the heap
 *   KEEP_RUNNING   the cache leaves what running heaps have to their owners
 */
#define OBJECTS 2

mtype = { OWNED, OWNERLESS, KILLED, GONE };
mtype slab = OWNED;

byte live = OBJECTS;	 /* of an owned slab: used and not yet freed */
byte count;		 /* of one without owner */
#ifdef NO_SLAB_REF
byte cache_refs = 1;	 /* its user's */
#else
byte cache_refs = 2;	 /* and the slab's */
#endif
bool cache_freed;
byte objcg_refs = 1;	 /* the group's */
bool objcg_freed;
bool cgroup_locked, heap_locked;
bool offline;
byte freed;		 /* frees that are over */
bool left;		 /* the thread inside, whose the heap is */
bool shrunk, removed, user_done;

inline lock_cgroup() { atomic { !cgroup_locked -> cgroup_locked = true } }
inline unlock_cgroup() { cgroup_locked = false }
#ifdef NO_HEAP_LOCK
inline lock_heap_of_another() { skip }
inline unlock_heap_of_another() { skip }
#else
inline lock_heap_of_another() { lock_heap() }
inline unlock_heap_of_another() { unlock_heap() }
#endif
inline lock_heap() { atomic { !heap_locked -> heap_locked = true } }
inline unlock_heap() { heap_locked = false }

inline look_at_cache() { assert(!cache_freed) }

inline put_cache()
{
	atomic {
		assert(cache_refs > 0 && !cache_freed);
		cache_refs--;
		cache_freed = (cache_refs == 0)
	}
}

inline get_objcg() { atomic { assert(!objcg_freed); objcg_refs++ } }

inline put_objcg()
{
	atomic {
		assert(objcg_refs > 0 && !objcg_freed);
		objcg_refs--;
		objcg_freed = (objcg_refs == 0)
	}
}

/* give_back() */
inline give_back()
{
	atomic { assert(slab != GONE); slab = GONE };
	look_at_cache();
#ifdef NO_SLAB_REF
	skip
#else
	put_cache();
#endif
#ifdef PUT_EARLY
	look_at_cache()
#endif
}

/* slab_destroy_ownerless() */
inline destroy_ownerless()
{
	assert(!objcg_freed); /* obj_cgroup_forget_slab() */
	give_back();
	put_objcg()
}

inline subtract()
{
	atomic { assert(slab == OWNERLESS && count > 0); count--; last = (count == 0) };
	if
	:: last -> destroy_ownerless()
	:: else
	fi
}

/* remote_free(): by the word, the one or the other. */
proctype freer()
{
	bool last, alone;

	look_at_cache(); /* its offset */
	atomic {
		assert(slab != GONE);
		alone = (slab == OWNERLESS);
		if
		:: slab == OWNED -> live--
		:: else
		fi
	};
	if
	:: alone -> subtract()
	:: else
	fi;
	freed++
}

/* Looks at its slabs, or sleeps, and leaves at last. */
active proctype owner()
{
	if
	:: lock_heap();
	   if
	   :: slab == OWNED && live == 0 -> give_back() /* heap_destroy_empty() */
	   :: else
	   fi;
	   unlock_heap()
	:: skip
	fi;
	left = true
}

/* heap_disown_slabs(), remote_disown(); the locks are held. */
inline disown()
{
#ifndef OBJCG_LATE
	get_objcg();
#endif
#ifdef COUNT_FIRST
	n = live;
	atomic { slab = OWNERLESS; count = n + 1 };
#else
	/* The swap fails until all that was freed has been collected. */
	atomic { assert(slab == OWNED); slab = OWNERLESS; count = live + 1 };
#endif
	/* slab->owner is cleared, and the slab joins a list. */
	assert(slab == OWNERLESS);
	subtract()
}

/* mem_cgroup_rmdir() or mem_cgroup_kill(), and the put of the group */
active proctype rmdir()
{
	byte n;
	bool last, killed;

	left; /* -EBUSY before */
	lock_cgroup();
	lock_heap();
	if
#ifdef KEEP_EMPTY
	:: slab == OWNED && live > 0 -> disown()
#else
	:: slab == OWNED -> disown()
#endif
	:: slab == OWNED && freed == OBJECTS -> get_objcg(); slab = KILLED; killed = true
	:: else
	fi;
	unlock_heap();
	offline = true;
	unlock_cgroup();
	put_objcg(); /* the group's */
#ifdef OBJCG_LATE
	get_objcg();
#endif
	if
	:: killed -> destroy_ownerless() /* release_doomed(), without a lock */
	:: else
	fi;
	removed = true
}

/* A slab that was found empty, by who is not its owner: slab_destroy_apart(). */
inline destroy_empty()
{
	if
	:: slab == OWNED && live == 0 ->
		get_objcg();
		destroy_ownerless()
	:: else
	fi
}

/* kmem_cache_shrink(), by another user of the cache, who holds it. */
active proctype shrink()
{
	lock_cgroup();
	if
	:: !offline ->
		lock_heap_of_another();
		look_at_cache();
		destroy_empty();
		look_at_cache();
		unlock_heap_of_another()
	:: else
	fi;
	unlock_cgroup();
	shrunk = true
}

/* kmem_cache_destroy(), when all its users have done with it. */
active proctype destroy()
{
	freed == OBJECTS && shrunk;
	lock_cgroup();
#ifndef KEEP_RUNNING
	if
	:: !offline ->
		lock_heap_of_another();
		look_at_cache();
		destroy_empty();
		unlock_heap_of_another()
	:: else
	fi;
#endif
	unlock_cgroup();
	assert(slab == KILLED || slab == GONE);
	put_cache(); /* its user's */
	user_done = true
}

/* With the last of them, whoever that is. */
active proctype nothing_is_left()
{
	atomic {
		freed == OBJECTS && shrunk && removed ->
		assert(slab == GONE && objcg_freed)
	};
	atomic { user_done && removed -> assert(cache_freed) }
}

init
{
	atomic { run freer(); run freer() }
}
