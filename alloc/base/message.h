/* SPDX-License-Identifier: MIT */
/*
 * Messages to the user, written straight to stderr: no stdio, no allocation,
 * errno kept. Each line starts with "cgslab: ".
 */
#ifndef ALLOC_BASE_MESSAGE_H
#define ALLOC_BASE_MESSAGE_H

#include "alloc/base/compiler.h"

__attribute__((format(printf, 1, 2))) void warn(const char *fmt, ...);

/* warn() and abort(). */
__attribute__((format(printf, 1, 2), noreturn, cold)) void die(const char *fmt, ...);

/*
 * Keeps a descriptor of its own for stderr, high and close-on-exec: many
 * programs close theirs before they end.
 */
void message_keep_stderr(void);

/* Where messages go: the kept descriptor, if it is still ours, or stderr. */
int message_fd(void);

/* A violated invariant of ours in a debug build. */
#ifdef CGSLAB_DEBUG
#define debug_assert(cond)                                                                         \
	do {                                                                                       \
		if (unlikely(!(cond)))                                                             \
			die("%s:%d: assertion failed: %s", __FILE__, __LINE__, #cond);             \
	} while (0)
#else
#define debug_assert(cond) ((void)sizeof(cond))
#endif

#endif
