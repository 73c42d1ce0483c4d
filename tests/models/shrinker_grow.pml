/* SPDX-License-Identifier: MIT */
/*
 * The info of a group grows while others defer objects, and the group goes
 * (shrinker/shrinker_info.c). There are two units, for ids low and high; the first is
 * there from the beginning. Two threads set a bit in the second, and so make it: one
 * holds the group, the other has found it in the read section that it is in. A walker,
 * which holds the group, defers an object in the one or in the other, if that is there;
 * and the group is removed.
 *
 * Each of these puts a known bug back, or takes away what the protocol needs, and
 * must be found out:
 *   COPY_UNITS     the new info has units of its own, with what was in the old
 *   PLAIN_STORE    the new info is stored, whatever is there by now
 *   BIT_FIRST      the bit is set in a new unit before anybody can see that
 *   FREE_AT_ONCE   the old info is freed without a grace period
 *   NO_LOOK        who defers does not look whether the group is online
 *   LOOK_EARLY     he looks before he adds
 *   READ_EARLY     rmdir reads the info before the group is offline
 *   NO_TAKE        it adds what is there to the parent's, and leaves it
 *   NO_REF         a walker does not hold the group
 *   GROW_ON        a group that is gone gets a new info
 */
#define LOW  0
#define HIGH 1
#define NONE 0

/* Infos and units by number; who makes one takes the next. */
#define RELEASED 7 /* the info of a group that is gone */

byte info = 1; /* memcg->shrinker_info */
byte infos = 1, units = 1;

typedef an_info {
	byte unit[2];
	bool freed
};
typedef a_unit {
	bool marked[2]; /* of either setter's id */
	byte deferred;
	bool freed
};
an_info all_infos[6];
a_unit all_units[7];

bool online = true;
byte refs = 3; /* the tree's, and one of each that holds it */
byte parent_deferred;
byte added;	/* by the walker */
bool reading[5], awaited[5]; /* read sections, and who waits for the end of them */
byte done;

inline enter_section() { reading[_pid] = true }
inline leave_section() { atomic { reading[_pid] = false; awaited[_pid] = false } }

/* By one at a time, which is enough: the last waits for what the others left. */
inline grace_period()
{
	d_step {
		k = 0;
		do
		:: k < 5 -> awaited[k] = reading[k]; k++
		:: else -> break
		od;
		k = 0
	};
	!awaited[1] && !awaited[2] && !awaited[3] && !awaited[4]
}

inline find(from, index, result)
{
	atomic {
		assert(from == RELEASED || !all_infos[from].freed);
		if
		:: from == RELEASED -> result = NONE
		:: else -> result = all_infos[from].unit[index]
		fi
	}
}

/* shrinker_info_release() */
inline put()
{
	atomic { assert(refs > 0); refs--; last = (refs == 0) };
	if
	:: last ->
		atomic { at = info; info = RELEASED };
		grace_period();
		atomic {
			all_infos[at].freed = true;
			all_units[all_infos[at].unit[LOW]].freed = true;
			all_units[all_infos[at].unit[HIGH]].freed = true
		}
	:: else
	fi
}

/* set_shrinker_bit(), info_grow() */
proctype setter(byte id)
{
	byte at, found, own, new, old, k;
	bool last;

	atomic { enter_section(); old = info };
again:
	find(old, HIGH, found);
	if
	:: found != NONE || old == RELEASED -> goto have
	:: else
	fi;
	d_step {
		if
		:: own == NONE -> units++; own = units
		:: else
		fi;
#ifdef BIT_FIRST
		all_units[own].marked[id] = true;
#endif
		infos++;
		new = infos;
#ifdef COPY_UNITS
		units++;
		all_units[units].deferred = all_units[all_infos[old].unit[LOW]].deferred;
		all_infos[new].unit[LOW] = units;
#else
		all_infos[new].unit[LOW] = all_infos[old].unit[LOW];
#endif
		all_infos[new].unit[HIGH] = own
	};
	atomic {
		if
#ifdef PLAIN_STORE
		:: info != RELEASED -> info = new; found = own
#else
		:: info == old -> info = new; found = own
#endif
#ifdef GROW_ON
		:: info == RELEASED -> info = new; found = own
#endif
		:: else -> old = info; goto again
		fi
	};
#ifdef FREE_AT_ONCE
	all_infos[old].freed = true;
#endif
have:
	atomic {
		if
#ifdef BIT_FIRST
		:: own != NONE
#endif
		:: found != NONE ->
			assert(!all_units[found].freed);
			all_units[found].marked[id] = true
		:: else
		fi
	};
	/* Whoever looks finds it. */
	atomic {
		if
		:: info != RELEASED -> assert(all_units[all_infos[info].unit[HIGH]].marked[id])
		:: else
		fi;
		leave_section()
	};
	if
	:: id == 0 -> put()
	:: else
	fi;
	if
	:: found != NONE && found == own -> grace_period(); all_infos[old].freed = true
	:: else
	fi;
	done++
}

/* The end of do_shrink_slab(): shrinker_defer() */
proctype walker()
{
	byte at, unit, index, n, k;
	bool last, alive;

	select (index : LOW .. HIGH);

#ifdef NO_REF
	put();
#endif
	/* shrinker_info_next() */
	atomic { enter_section(); at = info };
	atomic { find(at, index, unit); leave_section() };
	if
	:: unit == NONE -> goto over
	:: else
	fi;
	/* callbacks */
#ifdef LOOK_EARLY
	alive = online;
#endif
	atomic { assert(!all_units[unit].freed); all_units[unit].deferred++; added++ };
#ifdef NO_LOOK
	alive = true;
#else
#ifndef LOOK_EARLY
	alive = online;
#endif
#endif
	if
	:: alive
	:: else ->
		atomic { n = all_units[unit].deferred; all_units[unit].deferred = 0 };
		parent_deferred = parent_deferred + n
	fi;
over:
#ifndef NO_REF
	put();
#endif
	done++
}

/* reparent_shrinker_deferred() */
inline reparent(index)
{
	find(at, index, unit);
	if
	:: unit != NONE ->
		atomic {
			assert(!all_units[unit].freed);
			n = all_units[unit].deferred;
#ifndef NO_TAKE
			all_units[unit].deferred = 0
#endif
		};
		parent_deferred = parent_deferred + n
	:: else
	fi
}

proctype remover()
{
	byte at, unit, n, k;
	bool last;

#ifdef READ_EARLY
	enter_section();
	at = info;
	online = false;
#else
	online = false;
	enter_section();
	at = info;
#endif
	reparent(LOW);
	reparent(HIGH);
	leave_section();
	put();
	done++
}

init
{
	atomic {
		all_infos[1].unit[LOW] = 1;
		run remover();
		run setter(0);
		run setter(1);
		reading[3] = true; /* the last of them */
		run walker()
	};
	atomic {
		done == 4 ->
		assert(parent_deferred == added);
		assert(info == RELEASED)
	}
}
