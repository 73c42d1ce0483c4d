/* SPDX-License-Identifier: MIT */
/* What fork() does for the layer above. */
#ifndef ALLOC_SLAB_FORK_H
#define ALLOC_SLAB_FORK_H

/*
 * The locks of the layer above, which rank above removal_lock and below cgroup_lock.
 * They are taken when liburcu is at rest and its locks are held, so whoever waits for
 * one of them may be in a read section. Each may be NULL; set once, by a constructor.
 */
struct fork_ops {
	void (*prepare)(void); /* takes them, in the order of their ranks */
	void (*done)(void);    /* lets go of them, in both processes */
};

extern struct fork_ops fork_ops;

#endif
