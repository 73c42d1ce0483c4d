/* SPDX-License-Identifier: MIT */
/*
 * Pins of a span against its isolation (alloc/slab/span.h). Its pinner pins without an
 * atomic, all others by the state word; who finds nobody's pin may take the content
 * out, and who pins next brings it in again. Pins are also given back by others than
 * those who took them.
 *
 * The pinner's stores of own_pins go through a store buffer of one entry, which the
 * processor writes back when it likes. Its atomics and the membarrier write it back at
 * once. In the state word are shared, busy, waiters, wanted and out: what changes more
 * than one of them is one compare-and-swap.
 *
 * Each of these takes away what the protocol needs, and must be found out:
 *   NO_MEMBARRIER  the buffer is not written back between the two halves
 *   LOAD_FIRST     the pinner loads the state before it stores its pin
 *   SHARED_ONLY    the pinner's own pins are not looked at
 *   LOOK_FIRST     the pins are looked at before the span is busy
 *   KEEP_PIN       who finds it busy leaves his pin there while he waits
 *   OUT_LATE       it is not busy any more, and not yet out
 *   NO_RECHECK     who brings it in does not look whether it is still out
 *   PIN_LATE       he pins it when it is not busy any more
 *   WAKE_BLIND     who ends it looks first whether somebody waits
 *   WAIT_BLIND     who waits does not look whether it is still busy
 */
#define ROUNDS 2

#define PINNER 0
#define OTHER  1

int own;	/* own_pins, in memory */
int shared;	/* above the bias */
bool busy, out, waiters, wanted;

bool present = true; /* the content is in memory */
bool entry;	     /* and here it is in swap */
bool taken;	     /* who isolated it has begun */

bool asleep[2];	     /* in futex_wait() */
bool gift[2];	     /* a pin for the other one to give back */
bool ended[2];	     /* his rounds */
byte done;	     /* users and swapper */

bool buffered; /* the pinner's store buffer */
int buffer;

inline flush()
{
	if
	:: buffered -> own = buffer; buffered = false
	:: else
	fi
}

inline store_own(value)
{
	atomic { flush(); buffer = value; buffered = true }
}

/* An atomic of the pinner's is a barrier. */
inline before_atomic()
{
	if
	:: me == PINNER -> flush()
	:: else
	fi
}

inline use() { assert(present && !taken) }

/* ---- Pins -------------------------------------------------------------------- */

inline add_pin()
{
	if
	:: me == PINNER ->
#ifdef LOAD_FIRST
		atomic { saw_busy = busy; saw_out = out };
		mine++;
		store_own(mine)
#else
		mine++;
		store_own(mine);
		atomic { saw_busy = busy; saw_out = out }
#endif
	:: else ->
		atomic { shared++; saw_busy = busy; saw_out = out }
	fi
}

inline drop_pin()
{
	if
	:: me == PINNER -> mine--; store_own(mine)
	:: else -> shared--
	fi
}

/* A futex may also return for nothing. */
inline wait_for_end()
{
#ifdef WAIT_BLIND
	atomic { before_atomic(); waiters = true; wanted = true };
	atomic { asleep[me] = waiters };
#else
	atomic {
		before_atomic();
		if
		:: busy -> waiters = true; wanted = true
		:: else
		fi
	};
	atomic { asleep[me] = (busy && waiters) };
#endif
	!asleep[me]
}

inline wake_all()
{
	asleep[PINNER] = false;
	asleep[OTHER] = false
}

inline end_busy()
{
#ifdef WAKE_BLIND
	saw_waiters = waiters;
	atomic {
		assert(busy);
		busy = false; waiters = false; wanted = false
	};
	if
	:: saw_waiters -> wake_all()
	:: else
	fi
#else
	atomic {
		assert(busy);
		busy = false; wanted = false;
		saw_waiters = waiters;
		waiters = false
	};
	if
	:: saw_waiters -> wake_all()
	:: else
	fi
#endif
}

/*
 * One that is out nobody has pinned: who tries sees that, and takes his pin back. So
 * it is isolated without a look at the pins.
 */
inline swap_in()
{
#ifdef NO_RECHECK
	atomic { before_atomic(); isolated = !busy; busy = true };
#else
	atomic {
		before_atomic();
		isolated = (!busy && out);
		busy = (busy || isolated)
	};
#endif
	if
	:: isolated ->
		assert(entry && !present && !taken);
		taken = true;
		present = true;
		taken = false;
		entry = false;
#ifdef PIN_LATE
		out = false;
#else
		atomic {
			out = false;
			if
			:: me == PINNER -> mine++; own = mine
			:: else -> shared++
			fi
		};
#endif
		end_busy();
#ifdef PIN_LATE
		if
		:: me == PINNER -> mine++; store_own(mine)
		:: else -> shared++
		fi;
#endif
		break
	:: else
	fi
}

inline pin()
{
	do
	:: add_pin();
	   if
	   :: !saw_busy && !saw_out -> break
	   :: saw_busy ->
#ifdef KEEP_PIN
		wait_for_end();
		if
		:: !out -> break
		:: else -> drop_pin()
		fi
#else
		drop_pin();
		wait_for_end()
#endif
	   :: !saw_busy && saw_out ->
		drop_pin();
		swap_in()
	   fi
	od
}

proctype user(byte me)
{
	int mine, n;
	bool saw_busy, saw_out, saw_waiters, isolated;

	do
	:: n < ROUNDS ->
		n++;
		pin();
		use();
		if
		:: use(); drop_pin()
		:: /* given away, as all stores before can be seen */
		   atomic { !gift[me] -> before_atomic(); gift[me] = true }
		fi
	:: gift[1 - me] ->
		use();
		gift[1 - me] = false;
		drop_pin()
	:: n == ROUNDS && !ended[me] -> ended[me] = true
	:: ended[me] && ended[1 - me] && !gift[1 - me] -> break
	od;
	atomic { before_atomic(); done++ }
}

/* ---- Isolation --------------------------------------------------------------- */

/* own_pins first, then shared, or the other way round: while it is busy both only fall. */
inline look_at_pins()
{
	if
	:: pins = own; pins = pins + shared
	:: pins = shared; pins = pins + own
	fi
#ifdef SHARED_ONLY
	; pins = shared
#endif
}

inline swap_out()
{
	assert(present && !entry);
	taken = true;
	entry = true;
	if
	:: wanted -> /* gives up */
		entry = false;
		taken = false
	:: skip ->
		present = false;
		taken = false;
#ifndef OUT_LATE
		out = true
#endif
	fi
}

active proctype swapper()
{
	int pins, n;
	bool isolated, saw_waiters;

	do
	:: n < ROUNDS ->
		n++;
#ifdef LOOK_FIRST
		look_at_pins();
#endif
		atomic {
			isolated = (!busy && !out);
			busy = (busy || isolated)
		};
		if
		:: isolated ->
#ifndef NO_MEMBARRIER
			atomic { flush() };
#endif
#ifndef LOOK_FIRST
			look_at_pins();
#endif
			if
			:: pins == 0 -> swap_out()
			:: else
			fi;
			end_busy();
#ifdef OUT_LATE
			out = !present
#endif
		:: else
		fi
	:: else -> break
	od;
	done++
}

/* The processor writes back what is in the buffer. */
active proctype processor()
{
	do
	:: atomic { buffered -> flush() }
	:: done == 3 -> break
	od
}

/* Nobody waits for ever, and no pin is left. */
active proctype books()
{
	timeout;
	assert(done == 3);
	assert(own + shared == 0 && !busy && !waiters);
	assert(out == entry && out != present)
}

init
{
	atomic { run user(PINNER); run user(OTHER) }
}
