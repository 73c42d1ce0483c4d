/* SPDX-License-Identifier: MIT */
/* Pins, and what waits for their end; span.h has the protocol. */
#include "alloc/slab/span.h"

#include <errno.h>

#include "alloc/base/message.h"
#include "alloc/slab/debug.h"

__thread struct span_thread span_thread;

uint64_t span_clock __attribute__((aligned(CACHELINE)));

struct span_ops span_ops;

uint32_t span_pinner(void)
{
	static uint32_t last; /* atomic */

	if (likely(span_thread.number))
		return span_thread.number;
	/* What an isolation will need must be there. */
	if (READ_ONCE(last) >= SPAN_NO_PINNER - 1 || os_membarrier())
		return SPAN_NO_PINNER;
	span_thread.number = atomic_add(&last, 1);
	return span_thread.number;
}

/* ---- Pins ----------------------------------------------------------------- */

static __always_inline_fn bool is_pinner(const struct slab *span)
{
	return span->pinner == span_thread.number;
}

/* A release, for those who see that it is not pinned; only the pinner writes. */
static __always_inline_fn void own_unpin(struct slab *span)
{
	store_release(&span->own_pins, READ_ONCE(span->own_pins) - 1);
}

/* Whether it is pinned now; else its content is out, or somebody has it. */
static __always_inline_fn bool try_pin(struct slab *span)
{
	const uint32_t away = SPAN_BUSY | SPAN_OUT;

	if (likely(is_pinner(span))) {
		WRITE_ONCE(span->own_pins, READ_ONCE(span->own_pins) + 1);
		barrier(); /* pairs with os_membarrier() in span_isolate_check() */
		/* Pairs with span_end_busy(). */
		if (likely(!(load_acquire(&span->state) & away)))
			return true;
		own_unpin(span);
		return false;
	}
	if (likely(!(__atomic_fetch_add(&span->state, SPAN_PIN, __ATOMIC_ACQUIRE) & away)))
		return true;
	__atomic_sub_fetch(&span->state, SPAN_PIN, __ATOMIC_RELEASE);
	return false;
}

static noinline void *pin_slow(struct slab *span)
{
	int saved_errno = errno;
	int err = 0;

	do {
		if (span_wait(span) & SPAN_OUT) {
			err = span_ops.swap_in(span);
			if (!err)
				break;
		} else if (try_pin(span)) {
			err = 0;
			break;
		}
	} while (!err || err == -EAGAIN);
	errno = err ? -err : saved_errno;
	return err ? NULL : span->start;
}

void *span_pin(struct span *s)
{
	struct slab *span = span_slab(s);

	debug_killed_pointer(span, s, "span_pin");
	if (likely(try_pin(span)))
		return span->start;
	return pin_slow(span);
}

void span_unpin(struct span *s)
{
	struct slab *span = span_slab(s);

	debug_killed_pointer(span, s, "span_unpin");
	WRITE_ONCE(span->unpinned, span_stamp());
	if (likely(is_pinner(span)))
		own_unpin(span);
	else
		__atomic_sub_fetch(&span->state, SPAN_PIN, __ATOMIC_RELEASE);
}

void span_pin_busy(struct slab *span)
{
	if (is_pinner(span))
		WRITE_ONCE(span->own_pins, READ_ONCE(span->own_pins) + 1);
	else
		__atomic_add_fetch(&span->state, SPAN_PIN, __ATOMIC_RELAXED);
}

/* ---- Isolation ------------------------------------------------------------ */

bool span_isolate_begin(struct slab *span)
{
	uint32_t state = load_acquire(&span->state);

	do {
		if (state & SPAN_BUSY || span_is_pinned(span))
			return false;
		/* Pairs with span_end_busy(). */
	} while (!cmpxchg_acquire(&span->state, &state, state | SPAN_BUSY));
	return true;
}

/* The pins of all other threads can be seen. */
static bool see_pins(const struct slab *span)
{
	/* The thread's own stores it sees. Else: pairs with barrier() in try_pin(). */
	return span->pinner == SPAN_NO_PINNER || is_pinner(span) || os_membarrier() == 0;
}

bool span_is_alone(const struct slab *span)
{
	return READ_ONCE(span->state) & SPAN_OUT || (see_pins(span) && !span_is_pinned(span));
}

bool span_isolate_check(struct slab *span)
{
	if (span_is_alone(span))
		return true;
	span_end_busy(span);
	return false;
}

int span_isolate(struct slab *span)
{
	uint32_t state;

	span_gate_enter();
	do {
		state = span_wait(span);
		if (!(state & SPAN_OUT) && span_is_pinned(span))
			goto pinned;
	} while (!cmpxchg_acquire(&span->state, &state, state | SPAN_BUSY));
	if (span_isolate_check(span))
		return 0;
pinned:
	span_gate_leave();
	return -EBUSY;
}

uint32_t span_wait(struct slab *span)
{
	uint32_t state = load_acquire(&span->state); /* pairs with span_end_busy() */

	while (state & SPAN_BUSY) {
		uint32_t waits = state | SPAN_WAITERS;

		if (state == waits || cmpxchg_relaxed(&span->state, &state, waits))
			os_futex_wait(&span->state, waits);
		state = load_acquire(&span->state);
	}
	return state;
}

void span_end_busy(struct slab *span)
{
	const uint32_t bits = SPAN_BUSY | SPAN_WAITERS;

	/* Pairs with the acquires in try_pin(), span_wait() and the isolations. */
	if (__atomic_fetch_and(&span->state, ~bits, __ATOMIC_ACQ_REL) & SPAN_WAITERS)
		os_futex_wake_all(&span->state);
}

void span_putback(struct slab *span)
{
	span_end_busy(span);
	span_gate_leave();
}
