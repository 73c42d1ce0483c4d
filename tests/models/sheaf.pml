/* SPDX-License-Identifier: MIT */
/*
 * Heaps of one group pass objects on to the one that owns them, while threads
 * leave and rmdir closes the heaps (alloc/slab/heap_away.c, heap.c).
 *
 * Heap 0 owns all objects, in one slab; its owner goes. Heaps 1 and 2 are of
 * threads that free the objects, and go too. rmdir tries to close all three.
 *
 * Each of these takes away what the protocol needs, and must be found out:
 *   NO_LOOK        the owner does not look again when it has parked its heap
 *   BUFFERED_PARK  it looks before others see that the heap is parked
 *   LOOK_ONCE      a borrower does not look again
 *   REOPEN_BLIND   rmdir does not look when it opens again what it closed
 *   KEEP_AWAY      rmdir does not pass on what it finds in closed heaps
 *   DISOWN_EARLY   rmdir lets go of slabs when not all heaps are closed
 */
#define PARKED	 0
#define BORROWED 1
#define OWNED	 2
#define CLOSED	 3

#define OBJECTS	 2 /* that each of the two frees */

byte owner[3] = OWNED;
byte away[3];	/* objects in the heap's sheaf for heap 0 */
byte incoming;	/* of heap 0 */
byte back;	/* objects in their slab again */
byte left;	/* threads that are outside */
bool opening;	/* rmdir is about to look */
bool disowned;	/* the slab has no owner */

/* heap_collect_remote(): owner or borrower of heap 0. */
inline collect()
{
	atomic { assert(!disowned); back = back + incoming; incoming = 0 }
}

/* heap_collect_parked() */
inline collect_parked()
{
#ifdef LOOK_ONCE
	if
	:: atomic { incoming > 0 && owner[0] == PARKED -> owner[0] = BORROWED };
	   collect();
	   owner[0] = PARKED
	:: else
	fi
#else
	do
	:: incoming == 0 -> break
	:: incoming > 0 ->
		if
		:: atomic { owner[0] == PARKED -> owner[0] = BORROWED };
		   collect();
		   owner[0] = PARKED
		:: atomic { owner[0] != PARKED -> break }
		fi
	od
#endif
}

inline push(heap)
{
	atomic { assert(!disowned); incoming = incoming + away[heap]; away[heap] = 0 }
}

/* heap_pass_on_one() */
inline pass_on(heap)
{
	if
	:: away[heap] > 0 -> push(heap); collect_parked()
	:: else
	fi
}

active proctype the_owner()
{
	if
	:: collect() /* on a refill */
	:: skip
	fi;
	collect(); /* heap_trim() */
#ifdef BUFFERED_PARK
	if
	:: incoming == 0 -> owner[0] = PARKED
	:: incoming > 0 -> owner[0] = PARKED; collect_parked()
	fi;
#else
	owner[0] = PARKED; /* heap_return() */
#ifndef NO_LOOK
	collect_parked();
#endif
#endif
	left++
}

proctype freer(byte heap)
{
	byte n;

	do
	:: n < OBJECTS -> n++; away[heap]++
	:: pass_on(heap) /* it is full, or on a refill */
	:: n == OBJECTS -> break
	od;
	if
	:: pass_on(heap)
	:: skip /* a fork has cut it off */
	fi;
	owner[heap] = PARKED;
	left++
}

/* Whenever all have left, nothing waits for somebody who may never come. */
active proctype nobody_waits()
{
end:
	atomic { left == 3 && !opening && owner[0] == PARKED -> assert(incoming == 0) }
}

/* -EBUSY opens again what was closed. */
active proctype rmdir()
{
	byte heap, i;
	bool busy;

again:
	heap = 0;
	busy = false;
	do
	:: heap == 3 || busy -> break
	:: heap < 3 && !busy ->
		if
		:: atomic { owner[heap] == PARKED -> owner[heap] = CLOSED }; heap++
		:: owner[heap] == OWNED -> busy = true
		fi
#ifdef DISOWN_EARLY
		; if
		:: !busy && heap == 1 -> collect(); disowned = true
		:: else
		fi
#endif
	od;
	if
	:: busy ->
		i = 0;
		opening = true;
		do
		:: i < heap ->
			owner[i] = PARKED;
#ifndef REOPEN_BLIND
			if
			:: i == 0 -> collect_parked()
			:: else
			fi;
#endif
			i++
		:: else -> break
		od;
		opening = false;
		goto again
	:: else
	fi;
#ifndef KEEP_AWAY
	push(1);
	push(2);
#endif
	collect();
	disowned = true; /* heap_disown_slabs() */
	assert(back == 2 * OBJECTS)
}

init
{
	atomic { run freer(1); run freer(2) }
}
