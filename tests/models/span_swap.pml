/* SPDX-License-Identifier: MIT */
/*
 * The charge of a span, of memory and of swap, while it is swapped out and in, migrated,
 * transferred, put for the last time, and its group is removed or killed (shrinker/,
 * alloc/slab/span.h). How pins and isolation exclude each other is in span_pin.pml; here
 * both are one step.
 *
 * "span" is swappable and charged to an obj_cgroup of "child". "target" is the new run that
 * its content migrates to, "other" the group that it is transferred to. All are one page.
 * Numbers are local: what is charged to the obj_cgroups of a group.
 *
 * Each of these puts a known mistake back, and must be found out:
 *   BARE_GET      the walk takes a reference without asking whether it is the first
 *   PUT_LOCKED    it drops it with the list locked
 *   NO_DEL        the last put leaves the span on its list
 *   PUT_EARLY     the swapper drops its reference while the span is busy
 *   ADD_LATE      the span goes back to its list when it is not busy any more
 *   SWAP_LATE     memory is uncharged, and then swap is charged
 *   LOOK_EARLY    the group is looked up before the lock is taken
 *   SPLIT_BOOKS   the bytes are uncharged, and that they are in another section
 *   DROP_ENTRY    an error on the way in drops the entry
 *   FREE_EARLY    room in the file is given back before the content is there
 *   CHARGE_LATE   memory is charged when the content has come in
 *   KEEP_LISTED   a transfer leaves the span on the old group's list
 *   UNISOLATED    a migration relies on references alone
 *   BOTH_KEPT     both spans are charged after it
 *   BOTH_DROPPED  neither is
 *   CHARGE_ANEW   the target is charged, then the span uncharged
 *   ADD_BACK      the span goes back to a list, and has no group any more
 *   SWAP_FIRST    removal swaps the group before the lists have been passed on
 *   NO_BAR        a kill does not wait for the swapper
 */
#define PARENT 0
#define CHILD  1
#define OTHER  2
#define OFF    3 /* on no list */

#define SPAN   0
#define TARGET 1

#define A    0 /* obj_cgroups: of child, then parent */
#define B    1 /* of other */
#define NONE 2

byte memcg = CHILD; /* A's */

/* The span. */
byte refs, pins;
bool busy, out;
bool present = true; /* its run has the content */
bool entry;	     /* ->swap */
bool saved;	     /* the file has it */
byte list = CHILD;   /* the lru that it is on */
bool alive[2] = true;
bool charged[2];
byte objcg[2];
byte owed = 1; /* what must be charged: in memory, in swap, or in both on its way */

short mem[3], swp[3];

bool list_locked[3], dead;
bool objcg_locked[2], tree_locked;
bool barred;
byte shrinking, running;
bool begun;

inline lock_tree() { atomic { !tree_locked -> tree_locked = true } }
inline unlock_tree() { tree_locked = false }

#define memcg_of(o) ((o) == A -> memcg : OTHER)

/* ---- Charges: objcg_lock() ----------------------------------------------------- */

inline lock_objcg()
{
	atomic {
		mine = objcg[SPAN];
		assert(mine != NONE);
#ifdef LOOK_EARLY
		group = memcg_of(mine)
	};
	atomic {
		!objcg_locked[mine] -> objcg_locked[mine] = true
#else
		!objcg_locked[mine] -> objcg_locked[mine] = true;
		group = memcg_of(mine)
#endif
	}
}

inline unlock_objcg() { atomic { objcg_locked[mine] = false; mine = 0; group = 0 } }

/* One page, and never another beside it. */
inline charge_mem(g)
{
	atomic { mem[g]++; assert(mem[g] <= 1) }
}

inline uncharge_mem(g)
{
	atomic { assert(mem[g] > 0); mem[g]-- }
}

inline uncharge_swap(g)
{
	atomic { assert(swp[g] > 0); swp[g]-- }
}

/* ---- The list ------------------------------------------------------------------ */

/* lock_list_of(): the group is the one of the obj_cgroup, or was a moment ago. */
inline lock_list()
{
	atomic {
		assert(!holding && objcg[SPAN] != NONE);
		at = memcg_of(objcg[SPAN])
	};
	if
	:: atomic { !list_locked[at] && !(at == CHILD && dead) -> list_locked[at] = true }
	:: atomic { !list_locked[PARENT] && at == CHILD && dead -> at = PARENT; list_locked[at] = true }
	fi
}

inline unlock_list() { atomic { list_locked[at] = false; at = 0 } }

inline lru_add()
{
	lock_list();
	atomic {
		assert(list == OFF || list == at);
		assert(alive[SPAN]);
		list = at
	};
	unlock_list()
}

inline lru_del()
{
	lock_list();
	atomic {
		/* Who holds the lock of a list changes none of another's items. */
		assert(list == OFF || list == at);
		list = OFF
	};
	unlock_list()
}

/* ---- References ------------------------------------------------------------------ */

/* Nobody can look at the span any more, but a walk that holds its list. */
inline settle()
{
	if
	:: objcg[SPAN] != NONE ->
#ifndef NO_DEL
		lru_del();
#endif
		lock_objcg();
		atomic {
			if
			:: charged[SPAN] -> uncharge_mem(group); charged[SPAN] = false
			:: else
			fi;
			if
			:: entry -> uncharge_swap(group); entry = false
			:: else
			fi;
			owed = 0
		};
		unlock_objcg()
	:: else
	fi;
	atomic {
		assert(alive[SPAN] && !busy && pins == 0);
		alive[SPAN] = false;
		saved = false
	}
}

inline put()
{
	atomic { assert(refs > 0); refs--; last = (refs == 0) };
	if
	:: atomic { last -> last = false }; settle()
	:: else
	fi
}

inline end_busy()
{
	atomic { assert(busy && alive[SPAN]); busy = false }
}

/* ---- Out ------------------------------------------------------------------------- */

/* 1 to 3: the span has room in swap, and its content is there. */
inline write_out()
{
	lock_objcg();
	if
	:: atomic { swp[group]++; entry = true; written = true }
	:: skip /* memory.swap.max */
	fi;
	unlock_objcg();
	if
	:: written ->
		assert(present && !saved);
		if
		:: saved = true
		:: /* an error, or a pin is wanted */
		   written = false;
		   lock_objcg();
		   atomic { uncharge_swap(group); entry = false };
		   unlock_objcg()
		fi
	:: else
	fi
}

/* 4: the charge passes. */
inline pass_charge()
{
	lock_objcg();
#ifdef SPLIT_BOOKS
	uncharge_mem(group);
	unlock_objcg();
	lock_objcg();
	atomic { charged[SPAN] = false; out = true };
#else
	atomic { uncharge_mem(group); charged[SPAN] = false; out = true };
#endif
	unlock_objcg()
}

inline swap_out()
{
#ifdef SWAP_LATE
	saved = true;
	pass_charge();
	lock_objcg();
	atomic { swp[group]++; entry = true };
	unlock_objcg();
	written = true;
	present = false;
#else
	write_out();
	if
	:: written ->
		pass_charge();
		present = false
	:: else
	fi
#endif
}

inline put_back()
{
#ifdef PUT_EARLY
	put();
	refs++; /* for the one that follows */
#endif
	if
	:: atomic { written -> written = false }; end_busy()
	:: else ->
#ifdef ADD_LATE
		end_busy();
		lru_add()
#else
		lru_add();
		end_busy()
#endif
	fi
}

/* The walk, under the lock of a list: the span stays on it for now. */
inline take_oldest()
{
	atomic { !list_locked[at] && !(at == CHILD && dead) -> list_locked[at] = true; holding = true };
	taken = false;
	if
	:: list == at ->
		assert(alive[SPAN]);
		atomic { taken = !busy; busy = true };
		if
		:: taken ->
#ifdef BARE_GET
			refs++
#else
			atomic { taken = (refs > 0); refs = refs + taken };
			if
			:: !taken -> end_busy()
			:: else
			fi
#endif
		:: else
		fi
	:: else
	fi;
#ifdef PUT_LOCKED
	if
	:: taken && pins > 0 -> end_busy(); taken = false; put()
	:: else
	fi;
#endif
	atomic { list_locked[at] = false; holding = false; at = 0 }
}

/* Of memory.reclaim, or of a charge at its limit; of any group. */
inline walk()
{
	if
	:: at = PARENT
	:: at = CHILD
	:: at = OTHER
	fi;
	if
	:: take_oldest()
	:: atomic { dead && at == CHILD -> at = 0 }
	fi;
	if
	:: atomic { taken -> taken = false };
		if
		:: pins == 0 && !out -> lru_del(); swap_out(); put_back()
		:: else -> end_busy()
		fi;
		put()
	:: else
	fi
}

active proctype swapper()
{
	byte mine, group, at, n;
	bool holding, taken, written, last;

	begun;
	do
	:: n < 2 ->
		atomic { n++; shrinking++ }; /* memcg_shrink_begin() */
		if
		:: barred
		:: else -> walk()
		fi;
		shrinking--
	:: else -> break
	od;
	running--
}

/* ---- In -------------------------------------------------------------------------- */

inline charge_in()
{
	lock_objcg();
	atomic { charge_mem(group); charged[SPAN] = true };
	unlock_objcg()
}

inline read_in()
{
#ifdef FREE_EARLY
	saved = false;
#endif
	if
	:: assert(saved); present = true
	:: /* an error */
	   lock_objcg();
	   atomic {
		if
		:: charged[SPAN] -> uncharge_mem(group); charged[SPAN] = false
		:: else
		fi
	   };
#ifdef DROP_ENTRY
	   atomic { uncharge_swap(group); entry = false; out = false };
#endif
	   unlock_objcg()
	fi
}

/* Isolated, and out. Whether it came in, and is pinned. */
inline swap_in()
{
	assert(entry && !present && pins == 0);
	if
	:: /* refused: others are reclaimed, or not */
	   end_busy();
	   pinned = false
	:: skip ->
#ifndef CHARGE_LATE
		charge_in();
#endif
		read_in();
		if
		:: present ->
			lock_objcg();
			atomic { out = false; entry = false; uncharge_swap(group) };
			unlock_objcg();
#ifdef CHARGE_LATE
			charge_in();
#endif
			atomic { pins++; end_busy() };
			lru_add();
			saved = false;
			pinned = true
		:: else ->
			end_busy();
			pinned = false
		fi
	fi
}

/* Whether it worked. */
inline pin()
{
	atomic {
		!busy ->
		assert(alive[SPAN]);
		pinned = !out;
		pins = pins + pinned;
		busy = out /* to bring it in */
	};
	if
	:: pinned
	:: else -> swap_in()
	fi
}

inline unpin() { atomic { assert(present && alive[SPAN]); pins--; pinned = false } }

/* ---- Users ----------------------------------------------------------------------- */

inline isolate()
{
	atomic { !busy -> isolated = (pins == 0); busy = isolated }
}

inline move_charge()
{
	lock_objcg();
#ifdef CHARGE_ANEW
	charge_mem(group);
	uncharge_mem(group);
#endif
	atomic {
#ifndef BOTH_DROPPED
		charged[TARGET] = charged[SPAN];
#endif
#ifndef BOTH_KEPT
		charged[SPAN] = false;
		objcg[SPAN] = NONE;
#endif
		objcg[TARGET] = mine
	};
	unlock_objcg()
}

/* mem_cgroup_migrate() of one that is in memory. */
inline migrate()
{
#ifdef UNISOLATED
	isolated = (!out && !entry);
#else
	isolate();
#endif
	if
	:: isolated && !out ->
#ifndef ADD_BACK
		lru_del();
#endif
		move_charge();
#ifndef UNISOLATED
#ifdef ADD_BACK
		lru_add();
#endif
		end_busy()
#endif
	:: isolated && out -> end_busy()
	:: else
	fi
}

inline transfer()
{
	isolate();
	if
	:: isolated ->
#ifndef KEEP_LISTED
		lru_del();
#endif
		lock_tree();
		lock_objcg();
		atomic {
			if
			:: charged[SPAN] -> charge_mem(OTHER); uncharge_mem(group)
			:: else
			fi;
			if
			:: entry -> swp[OTHER]++; uncharge_swap(group)
			:: else
			fi;
			objcg[SPAN] = B
		};
		unlock_objcg();
		unlock_tree();
		if
		:: !out ->
			atomic {
				!list_locked[OTHER] ->
				assert(list == OFF);
				list = OTHER
			}
		:: else
		fi;
		end_busy()
	:: else
	fi
}

inline put_target()
{
	if
	:: charged[TARGET] ->
		mine = objcg[TARGET];
		atomic {
			!objcg_locked[mine] && !tree_locked ->
			group = memcg_of(mine);
			uncharge_mem(group);
			charged[TARGET] = false;
			owed = 0
		}
	:: else
	fi;
	alive[TARGET] = false
}

/* Each has a reference. */
proctype pinner()
{
	byte mine, group, at;
	bool holding, pinned, last;

	if
	:: pin();
	   if
	   :: pinned -> unpin()
	   :: else
	   fi
	:: skip
	fi;
	put();
	running--
}

proctype mover(bool migrates)
{
	byte mine, group, at;
	bool holding, isolated, last;

	if
	:: migrates -> migrate()
	:: else -> transfer()
	fi;
	isolated = false;
	put();
	put_target();
	running--
}

/* ---- The group goes ---------------------------------------------------------------- */

/* list_lrus_reparent() */
inline pass_on_list()
{
	atomic { !list_locked[PARENT] -> list_locked[PARENT] = true };
	atomic { !list_locked[CHILD] -> list_locked[CHILD] = true };
	atomic {
		if
		:: list == CHILD -> list = PARENT
		:: else
		fi;
		dead = true
	};
	list_locked[CHILD] = false;
	list_locked[PARENT] = false
}

/* reparent_one() */
inline reparent()
{
	lock_tree();
	atomic { !objcg_locked[A] -> objcg_locked[A] = true };
	atomic {
		memcg = PARENT;
		mem[PARENT] = mem[PARENT] + mem[CHILD];
		swp[PARENT] = swp[PARENT] + swp[CHILD];
		mem[CHILD] = 0;
		swp[CHILD] = 0
	};
	objcg_locked[A] = false;
	unlock_tree()
}

proctype rmdir()
{
#ifdef SWAP_FIRST
	reparent();
	pass_on_list();
#else
	pass_on_list();
	reparent();
#endif
	running--
}

/* mem_cgroup_kill(): no user is left, and their references count for nothing. */
proctype kill()
{
#ifndef NO_BAR
	barred = true;
	shrinking == 0; /* memcg_bar_shrinks() */
#endif
	atomic { !list_locked[CHILD] -> dead = true; list = OFF };
	lock_tree();
	atomic {
		!objcg_locked[A] ->
		assert(!busy);
		mem[CHILD] = mem[CHILD] - charged[SPAN];
		swp[CHILD] = swp[CHILD] - entry;
		assert(mem[CHILD] == 0 && swp[CHILD] == 0);
		charged[SPAN] = false;
		entry = false;
		owed = 0;
		refs = 0
	};
	unlock_tree();
	atomic { saved = false; alive[SPAN] = false };
	running--
}

/* ---- The books ----------------------------------------------------------------------- */

#define is_of(o, g) (((o) == A && memcg == (g)) || ((o) == B && (g) == OTHER))
#define mem_of(g)   ((charged[SPAN] && is_of(objcg[SPAN], g)) + (charged[TARGET] && is_of(objcg[TARGET], g)))
#define swap_of(g)  (entry && is_of(objcg[SPAN], g))

inline check_sums()
{
	assert(mem[PARENT] == mem_of(PARENT) && mem[CHILD] == mem_of(CHILD) && mem[OTHER] == mem_of(OTHER));
	assert(swp[PARENT] == swap_of(PARENT) && swp[CHILD] == swap_of(CHILD) && swp[OTHER] == swap_of(OTHER));
	/* No byte twice, none not at all; but on the way. */
	assert(charged[SPAN] + charged[TARGET] + entry - (charged[SPAN] && entry) == owed)
}

/* A count, at any moment: it has all of these locks. */
active proctype books()
{
	begun;
	if
	:: atomic { !tree_locked && !objcg_locked[A] && !objcg_locked[B] -> check_sums() }
	:: skip
	fi;
	timeout; /* nobody waits for ever, and all is given back */
	assert(running == 0);
	assert(!busy && pins == 0 && list == OFF && owed == 0 && !saved);
	assert(refs == 0 && !alive[SPAN]);
	check_sums()
}

init
{
	atomic {
		begun = true;
		mem[CHILD] = 1;
		charged[SPAN] = true;
		objcg[TARGET] = NONE;
		if
		:: refs = 2; running = 4; run pinner(); run mover(true); run rmdir()
		:: refs = 2; running = 4; run pinner(); run mover(false); run rmdir()
		:: refs = 2; running = 4; run pinner(); run pinner(); run rmdir()
		:: refs = 1; running = 2; run kill()
		fi
	}
}
