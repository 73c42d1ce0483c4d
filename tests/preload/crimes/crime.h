/* SPDX-License-Identifier: MIT */
/*
 * What the crimes share. A crime is a program that uses malloc wrongly, or
 * rightly where little memory is left to do so. It checks for itself what it
 * can see, and returns 0; how else it may end stands in the file "expected".
 */
#ifndef TESTS_PRELOAD_CRIMES_CRIME_H
#define TESTS_PRELOAD_CRIMES_CRIME_H

#include <errno.h>
#include <malloc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Without malloc, stdio or abort(), which are the suspects here. */
#define CHECK(cond)                                                                                \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			dprintf(2, "%s:%d: not so: %s (errno %d)\n", __FILE__, __LINE__, #cond,    \
				errno);                                                            \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

/* @call returns NULL and sets errno to @error. */
#define CHECK_FAILS(call, error)                                                                   \
	do {                                                                                       \
		errno = 0;                                                                         \
		CHECK((call) == NULL);                                                             \
		CHECK(errno == (error));                                                           \
	} while (0)

/* The crime goes undetected, by design, unless the library checks all it can. */
#define NOT_CAUGHT 77
#ifdef CGSLAB_DEBUG
static const bool debug_build = true;
#else
static const bool debug_build = false;
#endif

/* The same value, of which the compiler knows nothing. */
static inline void *opaque(const void *pointer)
{
	__asm__ volatile("" : "+r"(pointer));
	return (void *)(uintptr_t)pointer;
}

static inline size_t opaque_size(size_t size)
{
	__asm__ volatile("" : "+r"(size));
	return size;
}

/* The pointer that the message must name. */
static inline void *announce(const void *pointer)
{
	dprintf(1, "%p\n", pointer);
	return opaque(pointer);
}

static inline bool is_filled(const void *block, int byte, size_t size)
{
	const unsigned char *bytes = (const unsigned char *)block;

	for (size_t i = 0; i < size; i++)
		if (bytes[i] != (unsigned char)byte)
			return false;
	return true;
}

/* Innocent use: blocks of every magnitude up to 1 MiB, grown and shrunk. */
static inline void exercise(void)
{
	unsigned char *blocks[64];
	unsigned int n = 0;

	for (size_t size = 1; size <= 1 << 20; size = size * 3 / 2 + 1) {
		unsigned char *block = (unsigned char *)malloc(size);

		CHECK(block);
		memset(block, (int)n, size);
		block = (unsigned char *)realloc(block, size * 2);
		CHECK(block);
		CHECK(is_filled(block, (int)n, size));
		blocks[n] = (unsigned char *)realloc(block, size / 2 + 1);
		CHECK(blocks[n]);
		n++;
	}
	for (unsigned int i = 0; i < n; i++) {
		CHECK(blocks[i][0] == i);
		free(blocks[i]);
	}
}

/* Allocates chained blocks of @size until malloc fails or @bound bytes. */
static inline size_t exhaust(void **list, size_t size, size_t bound)
{
	size_t total = 0;

	for (*list = NULL; total < bound; total += size) {
		void **block;

		errno = 0;
		block = (void **)malloc(size);
		if (!block) {
			CHECK(errno == ENOMEM);
			break;
		}
		*block = *list;
		*list = block;
	}
	return total;
}

static inline void release(void *list)
{
	while (list) {
		void *next = *(void **)list;

		free(list);
		list = next;
	}
}

static inline void expect_success(pid_t child)
{
	int status;

	CHECK(child > 0);
	CHECK(waitpid(child, &status, 0) == child);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* Starts this program anew, with one argument, so that main() knows. */
static inline void exec_self(const char *argument)
{
	execl("/proc/self/exe", "crime", argument, (char *)NULL);
	CHECK(!"exec");
}

#endif
