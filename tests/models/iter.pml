/* SPDX-License-Identifier: MIT */
/*
 * Two walkers share the walk of group 1, whose children are 2, 3 and 4, while 3 is
 * removed and then 2 or 4 (accounting/memcg_iter.c). The tree holds a reference
 * of each group; a removed one is freed when its last reference is gone and the
 * read sections of that moment are over.
 *
 * Each of these puts a known bug back, and must be found out:
 *   TWO_WORDS      last_visited and last_dead_count are stored one after the other,
 *                  and no lock keeps walkers apart: a walk that starts over from
 *                  the root where the counts differ, as in the first version
 *   PLAIN_STORE    whoever has found the next group stores it: two get the same
 *   NO_DEAD_COUNT  who is slow does not see that groups were removed meanwhile
 *   SKIP_ROOT      removal does not get up to the root's own position
 *   COUNT_FIRST    dead_count is bumped before tryget fails
 *   BARE_RETURN    a walk that starts at the root returns it without a reference
 *   START_OVER     a walk whose position is removed starts over in its generation
 */
#define GROUPS	4
#define CALLS	2 /* of each walker */

bool online[GROUPS + 1] = true;
byte refs[GROUPS + 1] = 1;
bool freed[GROUPS + 1];
byte awaited[GROUPS + 1]; /* the readers that its grace period waits for */
byte readers;		  /* a bit for each walker */

/* root->iter; for TWO_WORDS, dead_count is another word and last_dead_count a third. */
byte last_visited = 2; /* the walk is under way */
byte generation;
byte dead_count;
byte last_dead_count;

byte seen = 6; /* groups returned in this generation */
byte stay = 30; /* groups that are not removed */
bool done;

inline read_lock() { readers = readers | (1 << me) }

inline read_unlock()
{
	atomic {
		readers = readers & ~(1 << me);
		awaited[1] = awaited[1] & ~(1 << me);
		awaited[2] = awaited[2] & ~(1 << me);
		awaited[3] = awaited[3] & ~(1 << me);
		awaited[4] = awaited[4] & ~(1 << me)
	}
}

inline put(group)
{
	atomic {
		if
		:: group > 0 ->
			assert(refs[group] > 0);
			refs[group]--;
			if
			:: refs[group] == 0 -> awaited[group] = readers
			:: else
			fi
		:: else
		fi
	}
}

inline touch(group) { assert(!freed[group]) }

/* mem_cgroup_tryget_online() of the groups behind pos, in their order. */
inline find_next()
{
	next = pos + 1;
	do
	:: atomic { next > GROUPS -> next = 0; break }
	:: atomic { next <= GROUPS && (refs[next] == 0 || !online[next]) -> next++ }
	:: atomic { next <= GROUPS && refs[next] > 0 && online[next] ->
			touch(next);
#ifdef BARE_RETURN
			if
			:: next == 1 -> break
			:: else
			fi
#endif
		}
		if
		:: atomic { refs[next] > 0 -> refs[next]++; break }
		:: atomic { refs[next] == 0 -> next++ }
		fi
	od
}

/* What is returned is held, and new in this generation. */
inline returned(group)
{
	assert(refs[group] > 0 && !freed[group]);
#ifndef TWO_WORDS
	assert(!(seen & (1 << group)));
#endif
	seen = seen | (1 << group)
}

inline over()
{
#ifndef TWO_WORDS
	assert((seen & stay) == stay);
#endif
	seen = 0;
	generation++
}

#ifdef TWO_WORDS

inline load()
{
	dead = dead_count;
	pos = 0;
	if
	:: last_dead_count == dead -> pos = last_visited
	:: else
	fi;
	gen = generation
}

inline swap()
{
	last_visited = next;
	last_dead_count = dead;
	if
	:: next > 0 -> returned(next)
	:: else -> over()
	fi;
	swapped = true
}

#else

inline load()
{
	atomic { pos = last_visited; gen = generation; dead = dead_count }
}

inline swap()
{
	atomic {
		if
#ifdef PLAIN_STORE
		:: true ->
#else
		:: last_visited == pos && generation == gen && dead_count == dead ->
#endif
			last_visited = next;
			if
			:: next > 0 -> returned(next)
			:: else -> over()
			fi;
			swapped = true
#ifndef PLAIN_STORE
		:: else -> swapped = false
#endif
		fi
	}
}

#endif

proctype walker(byte me)
{
	byte pos, next, gen, dead, prev, mine, n;
	bool swapped;

	do
	:: n == CALLS -> break
	:: atomic { n < CALLS -> n++ };
		/* mem_cgroup_iter(root, prev, cookie) */
		do
		:: read_lock();
#ifdef TWO_WORDS
		   load();
		   touch(pos);
#else
		   atomic { load(); touch(pos) };
#endif
		   find_next();
		   read_unlock();
		   if
		   :: atomic { prev > 0 && mine != gen -> put(next); next = 0; break }
		   :: else ->
			swap();
			if
			:: swapped -> break
			:: else -> put(next)
			fi
		   fi
		od;
		atomic { put(prev); prev = next; mine = gen; next = 0; gen = 0; dead = 0; pos = 0 }
	:: atomic { prev > 0 -> put(prev); prev = 0 } /* mem_cgroup_iter_break() */
	od;
	put(prev)
}

/* memcg_before() */
inline step_back(group)
{
	if
	:: last_visited == group ->
#ifdef START_OVER
		last_visited = 0
#else
		last_visited = group - 1;
		do
		:: online[last_visited] -> break
		:: else -> last_visited--
		od
#endif
	:: else
	fi
}

/* memcg_invalidate_iters() */
inline invalidate(group)
{
#ifdef TWO_WORDS
	dead_count++
#else
	atomic {
#ifndef NO_DEAD_COUNT
		dead_count++;
#endif
		step_back(group)
	}
#endif
}

active proctype remover()
{
	byte group = 3;

	do
	:: stay = stay & ~(1 << group);
#ifdef COUNT_FIRST
	   invalidate(group);
#endif
	   online[group] = false;
#ifndef COUNT_FIRST
#ifndef SKIP_ROOT
	   invalidate(group);
#endif
#endif
	   put(group); /* the tree's */
	   if
	   :: group == 3 -> group = 2
	   :: group == 3 -> group = 4
	   :: group != 3 -> break
	   fi
	od;
	done = true
}

/* call_rcu() */
active proctype callbacks()
{
	do
	:: atomic { refs[2] == 0 && !awaited[2] && !freed[2] -> freed[2] = true }
	:: atomic { refs[3] == 0 && !awaited[3] && !freed[3] -> freed[3] = true }
	:: atomic { refs[4] == 0 && !awaited[4] && !freed[4] -> freed[4] = true }
	:: done && freed[3] && (freed[2] || freed[4]) -> break /* however walks end */
	od
}

init
{
	atomic { run walker(0); run walker(1) }
}
