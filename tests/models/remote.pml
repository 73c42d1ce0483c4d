/* SPDX-License-Identifier: MIT */
/*
 * Frees from elsewhere against a heap that lets go of its slab
 * (alloc/slab/remote.c, heap_disown_slabs()).
 *
 * All objects of one slab are live. Each freer frees one of them; the owner
 * collects what they freed, or does not, and leaves; rmdir disowns the slab, and
 * the heap is another group's from then on.
 *
 * Each of these puts a known bug back, or takes away what the protocol needs, and
 * must be found out:
 *   TWO_WORDS     whether the slab has an owner, and the count, are not in the list's word
 *   TAKE_ALL      disowning takes what is on the list, announced or not
 *   UNANNOUNCED   the owner collects what it finds on the list, likewise
 *   TAIL_LATE     it reads the tail when it has taken the list
 *   NO_EXTRA      disowning does not count as one more until it is done
 *   LOOK_APART    a free subtracts one, and then looks whether it was the last
 *   KEEP_EMPTY    disowning leaves alone a slab without live objects
 */
#define OBJECTS 3

/* slab->remote, changed by one instruction */
byte first, nr;
bool ownerless;

byte next[OBJECTS + 1]; /* links of free objects; 0: none */
byte tail;		/* slab->remote_tail */
byte collected;		/* slab->free */
byte used = OBJECTS;
bool announced;		/* the slab is on heap->remote_slabs */
bool let_go;		/* the heap is another's */
bool destroyed;
byte freed;		/* frees that are done */
bool gone;		/* rmdir is done */

inline destroy() { atomic { assert(!destroyed); destroyed = true } }

/* ownerless_free() */
inline subtract(last)
{
	atomic { assert(!destroyed && nr > 0); nr--; last = (nr == 0) };
#ifdef LOOK_APART
	atomic { last = (nr == 0) };
#endif
	if
	:: last -> destroy()
	:: else
	fi
}

/* remote_free() */
proctype freer(byte object)
{
	byte old_first, old_nr;
	bool last, alone;

again:
	atomic { assert(!destroyed); old_first = first; old_nr = nr; alone = ownerless };
	if
	:: alone -> subtract(last)
	:: else ->
		next[object] = old_first;
		atomic {
			assert(!destroyed);
			if
#ifdef TWO_WORDS
			:: first == old_first ->
#else
			:: !ownerless && first == old_first && nr == old_nr ->
#endif
				first = object;
				nr++
			:: else -> goto again
			fi
		};
		if
		:: old_nr == 0 ->
			assert(!destroyed);
			tail = object;
			/* heap_push_remote() */
			atomic { assert(!destroyed && !let_go && !announced); announced = true }
		:: else
		fi
	fi;
	freed++
}

/* From @head, @n of them, to the tail that was read. */
inline check_list(head, n, end)
{
	d_step {
		at = head;
		i = 1;
		do
		:: i < n -> at = next[at]; i++
		:: else -> break
		od;
		assert(at == end);
		at = 0;
		i = 0
	}
}

/* heap_collect_remote(), remote_collect(); heap->lock */
inline collect()
{
#ifdef UNANNOUNCED
	if
	:: nr > 0 ->
#else
	if
	:: announced ->
#endif
		announced = false;
#ifndef TAIL_LATE
		seen_tail = tail;
#endif
		atomic { taken = first; n = nr; first = 0; nr = 0 };
#ifdef TAIL_LATE
		seen_tail = tail;
#endif
		check_list(taken, n, seen_tail);
		next[seen_tail] = collected;
		collected = taken;
		used = used - n
	:: else
	fi
}

active proctype owner()
{
	byte taken, n, seen_tail, at, i;
	bool last, disowned;

	do
	:: collect() /* on its refills */
	:: break     /* and leaves */
	od;
	/* rmdir, which has the heap from here on: heap_disown_slabs() */
	do
	:: disowned -> break
	:: else ->
		collect();
#ifdef KEEP_EMPTY
		if
		:: used == 0 -> break
		:: else
		fi;
#endif
		/* remote_disown() */
		atomic {
			if
#ifdef TAKE_ALL
			:: used = used - nr;
			   first = 0;
#else
			:: nr == 0 ->
#endif
#ifdef NO_EXTRA
				nr = used;
#else
				nr = used + 1;
#endif
				ownerless = true;
				disowned = true
#ifndef TAKE_ALL
			:: else
#endif
			fi
		}
	od;
	if
	:: disowned ->
		assert(!destroyed); /* slab->owner is cleared */
#ifdef NO_EXTRA
		if
		:: used == 0 -> destroy()
		:: else
		fi
#else
		subtract(last)
#endif
	:: else
	fi;
	let_go = true;
	gone = true
}

/* The free that was the last, or rmdir, has destroyed the slab. */
active proctype nothing_is_left()
{
	atomic { freed == OBJECTS && gone -> assert(destroyed) }
}

init
{
	atomic { run freer(1); run freer(2); run freer(3) }
}
