/* SPDX-License-Identifier: MIT */
/*
 * Which units of a group have bits (memcg->shrinker_units, shrinker/shrinker_info.c): those
 * who set a bit in a unit, against those who clear it. One unit, with two bits; a setter of
 * each, and one more of the first. All is seq_cst.
 *
 * Each of these puts a known bug back, or takes away what the protocol needs, and
 * must be found out:
 *   NO_SECOND_LOOK  the unit's bit is cleared, and that was it
 *   LOOK_FIRST      the second look comes before the unit's bit is cleared
 *   NO_RESTORE      the unit's bit stays clear when the second look finds something
 *   UNIT_FIRST      the unit's bit is set before the one in the map
 *   TEST_EARLY      whether it is set is looked at before the one in the map is set
 *   BLIND           the unit's bit is cleared though the map is not empty, and nobody looks again
 */
#define SETTERS 3
#define WALKERS 2

byte map = 1;	     /* unit->map */
bool marked = true; /* the unit's bit */
byte done;

/* set_unit_bit() */
inline mark(m)
{
#ifdef UNIT_FIRST
	marked = true;
	map = map | m
#else
#ifdef TEST_EARLY
	there = marked;
	map = map | m;
#else
	map = map | m;
	there = marked;
#endif
	if
	:: there
	:: else -> marked = true
	fi
#endif
}

proctype setter(byte m)
{
	bool there;

	mark(m);
	done++
}

/* clear_unit_bit() */
inline wipe(m)
{
#ifdef BLIND
	map = map & ~m;
	marked = false;
#else
	atomic { map = map & ~m; none = (map == 0) };
	if
	:: !none
	:: else ->
#ifdef LOOK_FIRST
		none = (map == 0);
		marked = false;
#else
		marked = false;
#ifndef NO_SECOND_LOOK
		none = (map == 0);
#endif
#endif
#ifndef NO_RESTORE
		if
		:: none
		:: else -> marked = true
		fi
#endif
	fi
#endif
}

/* Each takes what it finds for empty, once. */
active [WALKERS] proctype walker()
{
	byte seen;
	bool none;

	if
	:: marked ->
		seen = map;
		if
		:: seen & 1 -> wipe(1)
		:: else
		fi;
		if
		:: seen & 2 -> wipe(2)
		:: else
		fi
	:: else
	fi;
	done++
}

init
{
	atomic {
		run setter(1);
		run setter(1);
		run setter(2)
	};
	atomic {
		done == SETTERS + WALKERS ->
		assert(map == 0 || marked)
	}
}
