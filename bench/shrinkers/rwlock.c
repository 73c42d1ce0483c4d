/* SPDX-License-Identifier: MIT */
#include "bench/shrinkers/rwlock.h"

#include <pthread.h>
#include <sched.h>
#include <stdint.h>

/* ---- glibc's ------------------------------------------------------------ */

static pthread_rwlock_t readers_first = PTHREAD_RWLOCK_INITIALIZER;
static pthread_rwlock_t writers_first = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;

static void readers_first_read_lock(void)
{
	pthread_rwlock_rdlock(&readers_first);
}

static void readers_first_write_lock(void)
{
	pthread_rwlock_wrlock(&readers_first);
}

static void readers_first_unlock(void)
{
	pthread_rwlock_unlock(&readers_first);
}

static void writers_first_read_lock(void)
{
	pthread_rwlock_rdlock(&writers_first);
}

static void writers_first_write_lock(void)
{
	pthread_rwlock_wrlock(&writers_first);
}

static void writers_first_unlock(void)
{
	pthread_rwlock_unlock(&writers_first);
}

/* ---- Spinning ----------------------------------------------------------- */

#define SPINS 4096 /* before the CPU is left to whom is waited for */

/*
 * Each takes a ticket. A reader whose turn it is lets the next reader begin at once, and the next
 * writer when it leaves; a writer lets both when it leaves.
 */
static struct {
	uint32_t ticket;
	uint32_t reading, writing; /* whose turn it is */
} spinning __attribute__((aligned(64)));

static uint32_t take_ticket(void)
{
	return __atomic_fetch_add(&spinning.ticket, 1, __ATOMIC_RELAXED);
}

static void await(const uint32_t *turn, uint32_t ticket)
{
	/* Pairs with pass_on(). */
	for (unsigned i = 1; __atomic_load_n(turn, __ATOMIC_ACQUIRE) != ticket; i++) {
		__builtin_ia32_pause();
		if (i % SPINS == 0)
			sched_yield();
	}
}

static void pass_on(uint32_t *turn)
{
	__atomic_fetch_add(turn, 1, __ATOMIC_RELEASE);
}

static void spinning_read_lock(void)
{
	await(&spinning.reading, take_ticket());
	pass_on(&spinning.reading);
}

static void spinning_read_unlock(void)
{
	pass_on(&spinning.writing);
}

static void spinning_write_lock(void)
{
	await(&spinning.writing, take_ticket());
}

static void spinning_write_unlock(void)
{
	pass_on(&spinning.reading);
	pass_on(&spinning.writing);
}

/* ---- All ---------------------------------------------------------------- */

const struct rwlock rwlocks[RWLOCKS] = {
	{"readers_first", readers_first_read_lock, readers_first_unlock, readers_first_write_lock,
	 readers_first_unlock},
	{"writers_first", writers_first_read_lock, writers_first_unlock, writers_first_write_lock,
	 writers_first_unlock},
	{"spinning", spinning_read_lock, spinning_read_unlock, spinning_write_lock,
	 spinning_write_unlock},
};

const struct rwlock *rwlock = &rwlocks[0];
