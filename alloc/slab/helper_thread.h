/* SPDX-License-Identifier: MIT */
/*
 * Threads of our own, each started when it is first needed: one at a time of a kind.
 *
 * The program shall not notice them. Signals are blocked there; what the C library
 * allocates for them is the process's; when the last thread of the program has ended
 * they end, so that the process does; they are not started by a vfork child, and in a
 * forked one they are started anew. A failure is not tried again for a second.
 */
#ifndef ALLOC_SLAB_HELPER_THREAD_H
#define ALLOC_SLAB_HELPER_THREAD_H

#include "alloc/base/compiler.h"

struct helper_thread {
	/* Const: */
	const char *name;   /* at most 15 characters */
	void (*run)(void);  /* its life; a thread that liburcu knows */
	void (*stop)(void); /* makes run() return soon; any thread */
	size_t stack_size;
	bool has_task; /* allocates, and runs callbacks; without, a heap is lent to it */
	bool modest;   /* not where memory or address space is limited */

	bool started;		    /* atomic: by who starts it, until it ends or is lost */
	uint64_t not_before;	    /* of os_clock_ms(); races do no harm */
	struct helper_thread *next; /* once started, for ever */
	bool listed;		    /* atomic: set once */
};

/*
 * Starts it, unless it runs. Within an allocation, say, but no lock is held; the
 * thread has a task, and not ended. errno is kept. Returns 0, or -EAGAIN: it was not
 * possible, and may be later.
 */
int helper_thread_start(struct helper_thread *helper);

/* Whether it runs, or is about to. */
bool helper_thread_is_started(const struct helper_thread *helper);

/* The last thread of the program has ended. */
void helper_threads_stop(void);

/* Before everything else, once. */
void helper_threads_init(void);

/* In the child of a fork. */
void helper_threads_lost(void);

#endif
