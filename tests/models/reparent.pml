/* SPDX-License-Identifier: MIT */
/*
 * The obj_cgroup of a dead group is charged to the group's parent, "child" here,
 * which is removed, too (accounting/obj_cgroup.c, obj_stock.c). Meanwhile a user
 * charges through it and goes; and another thread frees the last object, through a
 * stock of its own. An object is a page.
 *
 * Each of these puts a known bug back, or takes away what the protocol needs, and
 * must be found out:
 *   BARE_GET      the charger takes the group without asking whether it is there
 *   NO_RCU        it asks outside of a read section
 *   LOOK_EARLY    release looks the group up before it takes the lock
 *   NO_HANDOVER   reparenting takes no reference of the parent
 *   KEEP_LISTED   release does not take the obj_cgroup off the group's list
 *   STOCK_HOLDS   a stock holds a reference of the obj_cgroup
 *   FLUSH_LATE    the stock is looked at when the object is freed already
 *   CLEAR_FIRST   release lets go of a stock before it has emptied it
 */
#define PARENT 0
#define CHILD  1

#define OTHERS 5 /* bytes of another obj_cgroup, in the stock when that has it */

bool locked; /* cgroup_lock, and objcg_lock() with it */

byte refs[2] = { 1, 2 }; /* the creator's; the tree's, and the obj_cgroup's */
bool freed;		 /* the child */
bool reading;		 /* the charger is in a read section */
bool awaited;		 /* and the child's grace period waits for it */
int usage[2] = 1;	 /* the object's page */
byte dying[2] = 1;	 /* nr_dying_descendants */

byte memcg = CHILD;   /* objcg->memcg */
bool listed = true;   /* on its objcg_list */
byte objcg_refs = 2;  /* the user's, the object's */
int leftover;	      /* nr_charged_bytes */
bool attached, reused; /* the stock, to this one, or to the next */
int stock;
byte done;

inline take_lock() { atomic { !locked -> locked = true } }
inline drop_lock() { locked = false }

inline charge_pages(group, n)
{
	atomic {
		assert(group == PARENT || !freed);
		usage[group] = usage[group] + n;
		assert(usage[group] >= 0);
		if
		:: group == CHILD -> usage[PARENT] = usage[PARENT] + n
		:: else
		fi;
		assert(usage[PARENT] >= 0)
	}
}

/* The creator has one all the time. */
inline put_parent() { atomic { assert(refs[PARENT] > 1); refs[PARENT]-- } }

/* obj_stocks_detach_all(), obj_stock_detach() */
inline detach()
{
#ifdef CLEAR_FIRST
	if
	:: attached -> attached = false; leftover = leftover + stock
	:: else
	fi
#else
	if
	:: attached -> leftover = leftover + stock; stock = 0; attached = false
	:: else
	fi
#endif
}

inline put_child()
{
	atomic {
		assert(refs[CHILD] > 0);
		refs[CHILD]--;
		if
		:: refs[CHILD] == 0 -> awaited = reading
		:: else
		fi
	}
}

inline put(group)
{
	if
	:: group == CHILD -> put_child()
	:: else -> put_parent()
	fi
}

inline count_down(group)
{
	atomic {
		if
		:: group == CHILD -> dying[CHILD]--
		:: else
		fi;
		dying[PARENT]--
	}
}

/* obj_cgroup_put(): the last one releases. */
inline put_objcg()
{
	atomic { assert(objcg_refs > 0); objcg_refs--; last = objcg_refs == 0 };
	if
	:: last ->
#ifdef LOOK_EARLY
		group = memcg;
#endif
		take_lock();
		detach();
#ifndef LOOK_EARLY
		group = memcg;
#endif
		charge_pages(group, -leftover);
		count_down(group);
#ifndef KEEP_LISTED
		listed = false;
#endif
		drop_lock();
		put(group)
	:: else
	fi
}

/* get_mem_cgroup_from_objcg() */
inline get_group(mine)
{
#ifndef NO_RCU
	reading = true;
#endif
#ifdef BARE_GET
	mine = memcg;
	assert(refs[mine] > 0);
	refs[mine]++;
#else
	do
	:: mine = memcg;
	   assert(mine == PARENT || !freed);
	   if
	   :: atomic { refs[mine] > 0 -> refs[mine]++; break }
	   :: atomic { refs[mine] == 0 }
	   fi
	od;
#endif
	atomic { reading = false; awaited = false }
}

/* obj_cgroup_charge(), obj_cgroup_uncharge(), obj_cgroup_put() */
active proctype user()
{
	byte mine, group;
	bool last;

	get_group(mine);
	charge_pages(mine, 1);
	assert(usage[PARENT] >= 1);
	put(mine);
	leftover++; /* obj_cgroup_return_bytes(): pages go at once, or later */
	if
	:: take_lock();
	   atomic { group = memcg; charge_pages(group, -leftover); leftover = 0 };
	   drop_lock()
	:: skip
	fi;
	put_objcg();
	done++
}

/* free_elsewhere(): through a stock, which then serves another obj_cgroup, or nobody. */
active proctype freer()
{
	byte group;
	bool last;

	take_lock(); /* obj_stock_attach() */
	attached = true;
#ifdef STOCK_HOLDS
	objcg_refs++;
#endif
	drop_lock();
	stock++;
#ifndef FLUSH_LATE
	if
	:: atomic { assert(attached); leftover = leftover + stock; stock = 0 } /* too much */
	:: skip
	fi;
#endif
	put_objcg(); /* the object's */
#ifdef FLUSH_LATE
	atomic { assert(attached); leftover = leftover + stock; stock = 0 };
#endif
	done++;
	if
	:: skip
	:: if
	   :: attached ->
		take_lock();
		detach();
		drop_lock()
	   :: !attached
	   fi;
	   stock = OTHERS;
	   reused = true
	fi
}

/* mem_cgroup_rmdir() */
active proctype rmdir()
{
	bool handed_over;

	take_lock();
	if
	:: listed ->
#ifndef NO_HANDOVER
		refs[PARENT]++;
#endif
		memcg = PARENT;
		handed_over = true
	:: else
	fi;
	dying[CHILD] = 0; /* what is left is the parent's */
	drop_lock();
	if
	:: handed_over -> put_child() /* the obj_cgroup's */
	:: else
	fi;
	put_child(); /* the tree's */
	done++
}

/* call_rcu() */
active proctype callback()
{
	atomic { refs[CHILD] == 0 && !awaited -> freed = true }
}

/* With the last free all numbers are right, whatever the stock's owner does then. */
active proctype books()
{
	atomic {
		done == 3 ->
		assert(objcg_refs == 0 && dying[PARENT] == 0 && dying[CHILD] == 0);
		assert(usage[PARENT] == 0 && refs[PARENT] == 1 && refs[CHILD] == 0);
		assert(!reused || stock == OTHERS)
	}
}
