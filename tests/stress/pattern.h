/* SPDX-License-Identifier: MIT */
/*
 * Blocks that know whose they are: every word is made of the owner's number and
 * of its place, so a block that was handed out twice, cut short or written
 * after its free is seen when its owner looks at it again.
 */
#ifndef TESTS_STRESS_PATTERN_H
#define TESTS_STRESS_PATTERN_H

#include <stddef.h>
#include <stdint.h>

/* Up to here every word is written, whatever the size. */
#define PATTERN_DENSE 512

void pattern_fill(void *block, size_t size, uint64_t owner);

/* Aborts if anything else was written. */
void pattern_check(const void *block, size_t size, uint64_t owner);

/* A number that was never returned before, for an owner. */
uint64_t pattern_owner(void);

#endif
