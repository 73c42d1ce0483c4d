/* SPDX-License-Identifier: MIT */
#ifndef TESTS_STRESS_CHECK_H
#define TESTS_STRESS_CHECK_H

#include <stdio.h>
#include <stdlib.h>

/* Ends the program with a message unless @cond holds. */
#define CHECK(cond, ...)                                                                           \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #cond);                 \
			fprintf(stderr, __VA_ARGS__);                                              \
			fputc('\n', stderr);                                                       \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

#endif
