/* SPDX-License-Identifier: MIT */
/*
 * The bit of a shrinker and a group: those who add objects, against those who find
 * none and clear it (shrinker/shrink.c, shrinker_info.c). At the start the bit is set
 * and nothing is there, as after the last object was taken out.
 *
 * A count may be in the processor's buffer for a while after it was written, unless
 * the writer then changes the bit by an instruction that releases.
 *
 * Each of these puts a known bug back, or takes away what the protocol needs, and
 * must be found out:
 *   NO_SECOND_LOOK  the bit is cleared, and that was it
 *   LOOK_FIRST      the second look comes before the bit is cleared
 *   NO_RESTORE      the bit stays clear when the second look finds something
 *   SET_FIRST       the bit is set before the object is added
 *   NO_RELEASE      it is set by an instruction that does not release
 *   TEST_FIRST      it is set only if it is found clear, which releases nothing
 */
#define ADDERS	2
#define WALKERS 2

bool marked = true;
byte nr;      /* objects on the list, as others see it */
byte scanned; /* objects */
byte done;

/* list_lru_add(), set_shrinker_bit() */
active [ADDERS] proctype adder()
{
#ifdef SET_FIRST
	marked = true;
	nr++;
#else
#ifdef NO_RELEASE
	marked = true; /* and the count is in the buffer still */
	nr++;
#else
#ifdef TEST_FIRST
	if
	:: marked -> nr++
	:: else -> nr++; marked = true
	fi;
#else
	nr++;
	marked = true;
#endif
#endif
#endif
	done++
}

/* scan_objects(), which looks at one */
inline scan()
{
	atomic {
		if
		:: nr > 0 -> nr--; scanned++
		:: else
		fi
	}
}

/* shrink_group(), two times */
active [WALKERS] proctype walker()
{
	byte rounds, n;

	do
	:: rounds == 2 -> break
	:: else ->
		rounds++;
		if
		:: marked ->
			n = nr;
			if
			:: n > 0 -> scan()
			:: else ->
#ifdef LOOK_FIRST
				n = nr;
				marked = false;
#else
				marked = false;
#ifndef NO_SECOND_LOOK
				n = nr;
#endif
#endif
				if
				:: n > 0 ->
#ifndef NO_RESTORE
					marked = true;
#endif
					scan()
				:: else
				fi
			fi
		:: else
		fi
	od;
	done++
}

active proctype nothing_is_lost()
{
	atomic {
		done == ADDERS + WALKERS ->
		assert(nr + scanned == ADDERS);
		assert(nr == 0 || marked)
	}
}
