/* SPDX-License-Identifier: MIT */
/*
 * The lists of a group that is removed (shrinker/list_lru.c, list_lru_table.c). Items
 * are added and deleted by the object that they lie in, each of "child" at first;
 * meanwhile "child" is removed, and what is on its list passes to the parent's. A
 * shrinker looks at the parent by its bit.
 *
 * Each of these puts a known bug back, or takes away what the protocol needs, and
 * must be found out:
 *   SWAP_FIRST     objects are the parent's before the items are
 *   NO_DEAD        the list is not marked, and who found it before adds to it
 *   SPLICE_LATE    it is marked dead, and its items are passed on after that
 *   CLEAR_FIRST    its slot is cleared before
 *   GONE_EARLY     the group says that all is passed on before it is
 *   MAKE_BLIND     a list is made without a look at whether the group leaves
 *   FALL_BACK      without memory the parent's is used this time, and no mark left
 *   FREE_EARLY     the list goes without a grace period
 *   WRONG_BIT      the bit is set in the group that was asked for
 *   NO_BIT         passing on sets none
 *   LATE_ADD       the bit is set before there is an item
 *   ONE_LOOK       the shrinker does not look again when it has cleared the bit
 */
#define PARENT 0
#define CHILD  1
#define OFF    2

#define ITEMS 2
#define USERS 2

mtype = { NONE, SOME, LEAVING, GONE };
mtype state = NONE; /* child->lists */

mtype = { EMPTY, LIST, ABOVE };
mtype slot = EMPTY;

byte objcg = CHILD;   /* objcg->memcg */
byte where[ITEMS];    /* the list an item is on */
byte nr[2];
bool bits[2];
bool locked[2], table_locked;
bool dead, cleared, freed; /* the child's list */
bool reading[USERS], awaited[USERS];
byte done;

inline lock_list(l)
{
	atomic {
		!locked[l] ->
		assert(l == PARENT || !freed);
		locked[l] = true
	}
}

inline unlock_list(l)
{
	atomic { assert(l == PARENT || !freed); locked[l] = false }
}

inline lock_table() { atomic { !table_locked -> table_locked = true } }
inline unlock_table() { table_locked = false }

/* Under table->lock. */
inline make_list()
{
	if
	:: slot = LIST
#ifdef FALL_BACK
	:: skip
#else
	:: slot = ABOVE
#endif
	fi
}

/* find_or_make() */
inline find_or_make()
{
	atomic {
		if
		:: state == NONE -> state = SOME
		:: else
		fi;
		now = state;
		list = PARENT
	};
	if
	:: now == GONE
	:: else ->
		lock_table();
#ifndef MAKE_BLIND
		now = state;
#endif
		atomic {
			if
			:: slot == EMPTY && now == SOME -> make_list()
			:: else
			fi;
			list = (slot == LIST -> CHILD : PARENT);
			unlock_table()
		}
	fi
}

/* list_lru_table_find() */
inline find()
{
	atomic { seen = slot; list = (seen == LIST -> CHILD : PARENT) };
	if
	:: seen == EMPTY ->
		atomic {
			now = state;
			look = (now == LEAVING || (now != GONE && adds));
			list = (now == GONE -> PARENT : OFF)
		};
		if
		:: look -> find_or_make()
		:: else
		fi
	:: else
	fi
}

/* The parent is alive. */
inline lock_list_or_parents()
{
	atomic {
		!locked[list] ->
		assert(list == PARENT || !freed);
		look = (list == CHILD && dead);
		if
		:: look -> list = PARENT
		:: else -> locked[list] = true
		fi
	};
	if
	:: look -> lock_list(PARENT)
	:: else
	fi
}

/* lock_list_of() */
inline lock_list_of()
{
	if
	:: group == PARENT -> list = PARENT
	:: else -> find()
	fi;
	if
	:: list != OFF -> lock_list_or_parents()
	:: else
	fi
}

/* add_nr() */
inline add_item()
{
#ifdef LATE_ADD
	if
	:: nr[list] == 0 -> bits[list] = true
	:: else
	fi;
#endif
	atomic { where[item] = list; nr[list]++ };
#ifdef WRONG_BIT
	if
	:: nr[list] == 1 -> bits[asked] = true
	:: else
	fi
#endif
#ifndef WRONG_BIT
#ifndef LATE_ADD
	if
	:: nr[list] == 1 -> bits[list] = true
	:: else
	fi
#endif
#endif
}

/* list_lru_add_obj(), and list_lru_del_obj() after it or from elsewhere. */
proctype user(byte id; byte item; bool adds; bool dels)
{
	byte group, asked, list;
	mtype seen, now;
	bool look;

	do
	:: atomic { reading[id] = true; group = objcg; asked = group };
	   lock_list_of();
	   atomic { reading[id] = false; awaited[id] = false };
	   if
	   :: list != OFF ->
		/* Whoever holds the lock of a list changes none of another's items. */
		assert(where[item] == OFF || where[item] == list);
		if
		:: adds && where[item] == OFF -> add_item(); unlock_list(list)
		:: atomic { !adds && where[item] != OFF -> where[item] = OFF; nr[list]-- };
		   unlock_list(list)
		:: else -> unlock_list(list)
		fi
	   :: else
	   fi;
	   if
	   :: adds && dels -> adds = false
	   :: else -> break
	   fi
	od;
	/* What one has added oneself, one finds. */
	assert(!dels || where[item] == OFF);
	done++
}

inline move_items()
{
	atomic {
		moved = nr[CHILD];
		nr[PARENT] = nr[PARENT] + moved;
		nr[CHILD] = 0;
		i = 0;
		do
		:: i < ITEMS ->
			if
			:: where[i] == CHILD -> where[i] = PARENT
			:: else
			fi;
			i++
		:: else -> break
		od
	};
#ifndef NO_BIT
	if
	:: moved > 0 && nr[PARENT] == moved -> bits[PARENT] = true
	:: else
	fi
#else
	skip
#endif
}

inline clear_slot()
{
	atomic { !table_locked -> slot = EMPTY }
}

/* pass_on() */
inline pass_on()
{
#ifdef SPLICE_LATE
	lock_list(CHILD);
	dead = true;
	unlock_list(CHILD);
	lock_list(PARENT);
	move_items();
	unlock_list(PARENT)
#else
	lock_list(PARENT);
	lock_list(CHILD);
	move_items();
#ifndef NO_DEAD
	dead = true;
#endif
	unlock_list(CHILD);
	unlock_list(PARENT)
#endif
}

/* list_lrus_reparent() */
inline reparent_lists()
{
	atomic {
		if
		:: state == NONE -> state = GONE; none = true
		:: else -> none = false
		fi
	};
	if
	:: !none ->
#ifdef GONE_EARLY
		state = GONE;
#else
		state = LEAVING;
#endif
		atomic { !table_locked -> has_list = (slot == LIST) };
#ifdef CLEAR_FIRST
		clear_slot();
#endif
		if
		:: has_list -> pass_on()
		:: else
		fi;
#ifndef CLEAR_FIRST
		clear_slot();
#endif
		atomic {
			cleared = true;
#ifndef FREE_EARLY
			awaited[0] = reading[0];
			awaited[1] = reading[1]
#endif
		};
		state = GONE
	:: else
	fi
}

/* mem_cgroup_rmdir() */
active proctype rmdir()
{
	bool none, has_list;
	byte moved, i;

#ifdef SWAP_FIRST
	objcg = PARENT;
#endif
	reparent_lists();
#ifndef SWAP_FIRST
	objcg = PARENT;
#endif
	done++
}

/* call_rcu(), if there was a list */
active proctype callback()
{
end:	atomic { cleared && !awaited[0] && !awaited[1] -> freed = true }
}

/* shrink_slab_memcg() of the parent */
proctype shrinker()
{
	if
	:: bits[PARENT] && nr[PARENT] == 0 ->
		bits[PARENT] = false;
#ifndef ONE_LOOK
		if
		:: nr[PARENT] > 0 -> bits[PARENT] = true
		:: else
		fi
#endif
	:: else
	fi;
	done++
}

/* No item is left behind, and the shrinker will find it. */
active proctype books()
{
	atomic {
		done == 3 ->
		assert(nr[CHILD] == 0 && where[0] == OFF && where[1] != CHILD);
		assert(nr[PARENT] == (where[1] == PARENT -> 1 : 0));
		assert(nr[PARENT] == 0 || bits[PARENT])
	}
}

/* The removal against two of them. */
init
{
	atomic {
		where[0] = OFF;
		where[1] = OFF;
		if
		:: run user(0, 0, true, true); run user(1, 1, true, false)
		:: run user(0, 0, true, true); run user(1, 0, false, false)
		:: bits[PARENT] = true; /* left over */
		   run user(0, 1, true, false);
		   run shrinker()
		fi
	}
}
