/* SPDX-License-Identifier: MIT */
/* What a test does in a child process, and what became of it. */
#ifndef TESTS_SLAB_CHILD_H
#define TESTS_SLAB_CHILD_H

#include <stdio.h>
#include <sys/types.h>
#include <unistd.h>

#include <cgslab/memcg.h>

#define CHILD_SECONDS 20

/* In the child: ends it with a message unless @cond holds. */
#define CHILD_CHECK(cond)                                                                          \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			dprintf(2, "%s:%d: in the child: %s\n", __FILE__, __LINE__, #cond);        \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

/* In the child: the books of the whole tree must be right. */
void child_verify(void);

/* Calls @fn in a child made by @make, fork() or another; 0 if all was well. */
int child_run(pid_t (*make)(void), void (*fn)(void));

#endif
