/* SPDX-License-Identifier: MIT */
/*
 * Pressure from outside of the process: what the machine, or the container around
 * it, wants back. docs/pressure.md tells how it is known and how much is given.
 *
 * It is the reclaim thread that looks, so there is no thread for this alone and no
 * lock: what is not said to be for any thread is for that one.
 */
#ifndef SHRINKER_PRESSURE_H
#define SHRINKER_PRESSURE_H

#include <cgslab/gfp.h>
#include <poll.h>

#include "alloc/base/compiler.h"

enum pressure_mode {
	PRESSURE_AUTO, /* once there is a shrinker, unless the environment forbids it */
	PRESSURE_ON,
	PRESSURE_OFF,
};

/* Descriptors that pressure_poll_fds() may want. */
#define PRESSURE_FDS 1

/*
 * Before the first shrinker. @root: "", or the folder in which /proc and the
 * cgroups are looked for; it is copied.
 */
void pressure_configure(enum pressure_mode mode, const char *root);

/* MEMORY_PRESSURE_WATCH and _WRITE, or NULL; by a constructor, with those of the process. */
void pressure_set_environment(const char *watch, const char *write);

/* Whether the thread, where there is one, shall look. Any thread. */
bool pressure_is_wanted(void);

/*
 * There is a shrinker: has the thread started, if it shall look; where it cannot be now,
 * that is tried again when more is used. Returns whether it looks. Any thread, where an
 * allocation may be.
 */
bool pressure_begin(void);

/*
 * Wakes the thread, or starts it; returns whether there is one. Any thread. Set once by
 * the layer above.
 */
extern bool (*pressure_kick)(void);

/* The thread has begun: opens what there is to look at. Returns 0, or -ENOENT where it shall not.
 */
int pressure_start(void);

/* Fills in what shall be polled; returns how many. */
int pressure_poll_fds(struct pollfd *fds, int max);

/* When pressure_pages() has to be asked again at the latest; -1: never. */
int pressure_timeout_ms(void);

/*
 * After poll(), or whenever the thread was woken: how many pages the process should
 * give back to the kernel; 0: none. Else pressure_done() is to follow.
 */
int64_t pressure_pages(const struct pollfd *fds, int n);

/* So many were given back. */
void pressure_done(int64_t freed);

/*
 * A charge has made the root's usage reach its high, which is kept where the next
 * limit outside has its low watermark: has the thread look, and waits until it has
 * done what is to be done, if @gfp allows, but not for long. Any thread, with no
 * lock held; reclaim_ops.machine_high.
 */
void pressure_machine_high(gfp_t gfp);

/* In the child of a fork: there is no thread; the descriptors are the parent's. */
void pressure_fork_child(void);

#endif
