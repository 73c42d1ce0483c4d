/* SPDX-License-Identifier: MIT */
/* The global lock, for many readers or one writer. It can be of several kinds. */
#ifndef BENCH_SHRINKERS_RWLOCK_H
#define BENCH_SHRINKERS_RWLOCK_H

struct rwlock {
	const char *name;
	void (*read_lock)(void);
	void (*read_unlock)(void);
	void (*write_lock)(void);
	void (*write_unlock)(void);
};

/*
 * readers_first	glibc's: readers overtake a writer that waits
 * writers_first	glibc's: they do not
 * spinning		in the order in which they come; nobody sleeps, so passing it on costs
 *			next to nothing. The best that a lock can do while there are no more
 *			threads than CPUs
 */
#define RWLOCKS 3
extern const struct rwlock rwlocks[RWLOCKS];

/* What is used. To be changed while nobody holds it. */
extern const struct rwlock *rwlock;

#endif
