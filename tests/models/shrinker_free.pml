/* SPDX-License-Identifier: MIT */
/*
 * shrinker_free() against those who run callbacks (shrinker/shrinker.c, shrink.c), and
 * the next shrinker with the same id. Each walker has a stripe of the references to
 * itself. The group's bit is set in the beginning; the first shrinker has no objects
 * there, the next one has.
 *
 * Each of these puts a known bug back, or takes away what the protocol needs, and
 * must be found out:
 *   BARE_GET     a walker takes a reference without asking
 *   LOOK_APART   it looks whether the shrinker is dead, and then takes it
 *   NO_WAIT      shrinker_free() does not wait for callbacks
 *   ONE_STRIPE   it looks at one stripe only
 *   WAKE_BLIND   a put looks whether it has somebody to wake before it subtracts
 *   CLEAR_BLIND  who clears the bit of a dead one does not look again whether it is
 *                dead: a grace period before the id passes on would not help, as it
 *                does not wait for who came after the end
 *   PUT_EARLY    a walker puts the shrinker, and then clears its bit
 */
#define WALKERS 2

/* stripe->refs, each changed by one instruction */
byte refs[WALKERS];
bool registered[WALKERS] = true;
bool dead[WALKERS];

byte life;	 /* which of the two has the id */
bool gone[2];	 /* shrinker_free() has returned: so is what callbacks use */
byte objects[2]; /* of each, in the group */
bool marked = true;

bool asleep; /* who waits, in the kernel */
byte done;

/* shrinker_tryget() */
inline tryget(me)
{
#ifdef BARE_GET
	atomic { got = registered[me]; refs[me]++; mine = life };
#else
#ifdef LOOK_APART
	got = registered[me] && !dead[me];
	if
	:: got -> atomic { refs[me]++; mine = life }
	:: else
	fi;
#else
	atomic {
		got = registered[me] && !dead[me];
		if
		:: got -> refs[me]++; mine = life
		:: else
		fi
	};
#endif
#endif
}

/* shrinker_put() */
inline put(me)
{
#ifdef WAKE_BLIND
	last = (dead[me] && refs[me] == 1);
	refs[me]--;
#else
	atomic { assert(refs[me] > 0); refs[me]--; last = (dead[me] && refs[me] == 0) };
#endif
	if
	:: last -> asleep = false
	:: else
	fi
}

inline call(n)
{
	assert(!gone[mine]);
	n = objects[mine];
	assert(!gone[mine])
}

/* shrink_bit(), two times */
proctype walker(byte me)
{
	byte rounds, mine, n;
	bool got, last;

	do
	:: rounds == 2 || !marked -> break
	:: else ->
		rounds++;
		tryget(me);
		if
		:: got ->
			call(n);
#ifdef PUT_EARLY
			put(me);
#endif
			if
			:: n == 0 ->
				marked = false
			:: else
			fi;
#ifndef PUT_EARLY
			put(me)
#endif
		:: else ->
			/* get_by_bit(), clear_dead_bit() */
			if
			:: dead[0] ->
				marked = false;
#ifndef CLEAR_BLIND
				if
				:: dead[0]
				:: else -> marked = true
				fi
#endif
			:: else
			fi
		fi
	od;
	done++
}

/* wait_for_callbacks() */
inline wait_for(stripe)
{
	do
	:: refs[stripe] == 0 -> break
	:: else ->
		seen = refs[stripe];
		/* The kernel looks again before it puts the thread to sleep. */
		atomic { asleep = (seen > 0 && refs[stripe] == seen) };
		!asleep
	od
}

active proctype user()
{
	byte seen;

	dead[0] = true;
#ifndef ONE_STRIPE
	dead[1] = true;
#endif
#ifndef NO_WAIT
	wait_for(0);
#ifndef ONE_STRIPE
	wait_for(1);
#endif
#endif
	gone[0] = true;
	/* shrinker_alloc(): begin_life() */
	life = 1;
	d_step { registered[0] = false; dead[0] = false };
	d_step { registered[1] = false; dead[1] = false };
	/* An object, before it is registered. */
	objects[1] = 1;
	marked = true;
	registered[0] = true;
	registered[1] = true;
	done++
}

/* All come to an end: nobody sleeps for ever. And the object is not forgotten. */
active proctype end()
{
	done == WALKERS + 1 || timeout -> assert(done == WALKERS + 1 && marked)
}

init
{
	atomic { run walker(0); run walker(1) }
}
