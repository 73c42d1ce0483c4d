/* SPDX-License-Identifier: MIT */
/*
 * One byte stock: its owner charges and uncharges without an atomic while others
 * revoke it (accounting/obj_stock.h). A page is a byte here.
 *
 * The owner's stores of used go through a store buffer of one entry, which the
 * processor writes back when it likes. Locks and the membarrier write it back at
 * once. Whoever revokes holds cgroup_lock, so there is one of them at a time.
 *
 * Each of these takes away what the protocol needs, and must be found out:
 *   NO_MEMBARRIER   the buffer is not written back between the two halves
 *   NO_SECOND_LOOK  all that was revoked is uncharged
 *   LIMIT_FIRST     the owner loads limit before it stores used
 */
#define MAX	 3 /* what may be charged */
#define CHARGES	 5 /* and uncharges, of the owner */
#define REVOKES	 2

int used, limit, revoked;
int usage; /* the page counter */
int live;  /* what the owner has handed out */
bool locked;
byte done; /* of owner and revoker */

bool buffered; /* the owner's store buffer */
int buffer;

inline flush()
{
	if
	:: buffered -> used = buffer; buffered = false
	:: else
	fi
}

inline store_used(value)
{
	atomic { flush(); buffer = value; buffered = true }
}

inline lock_by_owner() { atomic { !locked -> locked = true; flush() } }
inline unlock_by_owner() { locked = false }
inline take_lock() { atomic { !locked -> locked = true } }
inline drop_lock() { locked = false }

/* Nothing is handed out that is not charged. */
inline hand_out() { live++; assert(live <= usage) }

/* obj_stock_refill() */
inline refill()
{
	mine--;
	store_used(mine);
	lock_by_owner();
	limit = limit + revoked;
	revoked = 0;
	if
	:: mine + 1 <= limit -> granted = true
	:: mine + 1 > limit && usage < MAX -> atomic { usage++; limit++; granted = true }
	:: mine + 1 > limit && usage < MAX - 1 -> atomic { usage = usage + 2; limit = limit + 2; granted = true }
	:: mine + 1 > limit && usage >= MAX -> granted = false
	fi;
	if
	:: granted -> mine++; used = mine /* at the unlock at the latest */
	:: else
	fi;
	unlock_by_owner();
	if
	:: granted -> hand_out()
	:: else
	fi
}

/* obj_stock_take() */
inline charge()
{
#ifdef LIMIT_FIRST
	seen = limit;
#endif
	mine++;
	store_used(mine);
#ifndef LIMIT_FIRST
	seen = limit;
#endif
	if
	:: mine <= seen -> hand_out()
	:: else -> refill()
	fi
}

active proctype owner()
{
	int mine, seen, n;
	bool granted;

	do
	:: n < CHARGES -> n++; charge()
	:: n < CHARGES && live > 0 -> n++; live--; mine--; store_used(mine)
	:: n == CHARGES -> break
	od;
	atomic { flush(); done++ }
}

/* The processor writes back what is in the buffer. */
active proctype processor()
{
	do
	:: atomic { buffered -> flush() }
	:: done == 2 -> break
	od
}

active proctype revoker()
{
	int spare, overdrawn, bytes, n;

	do
	:: n < REVOKES ->
		n++;
		take_lock(); /* revoke_begin() */
		spare = limit - used;
		if
		:: spare > 0 ->
			revoked = revoked + spare;
			limit = limit - spare
		:: else
		fi;
		drop_lock();
#ifndef NO_MEMBARRIER
		atomic { flush() };
#endif
		take_lock(); /* revoke_end() */
#ifndef NO_SECOND_LOOK
		overdrawn = used - limit;
		if
		:: overdrawn > 0 ->
			overdrawn = (overdrawn < revoked -> overdrawn : revoked);
			limit = limit + overdrawn;
			revoked = revoked - overdrawn
		:: else
		fi;
#endif
		bytes = revoked;
		revoked = 0;
		drop_lock();
		usage = usage - bytes;
		assert(live <= usage)
	:: else -> break
	od;
	done++
}

/* In the end what is charged is in the stock or live. */
active proctype books()
{
	atomic { done == 2 -> assert(usage == limit + revoked && live == used) }
}
