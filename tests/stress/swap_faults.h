/* SPDX-License-Identifier: MIT */
/*
 * A disk that fails: the system calls of the swap file return errors at times, do less than they
 * should, and take long.
 */
#ifndef TESTS_STRESS_SWAP_FAULTS_H
#define TESTS_STRESS_SWAP_FAULTS_H

#include "tests/stress/random.h"

/* Once, before there is a swap file. */
void swap_faults_install(void);

/* What fails from now on: nothing, some, or much. */
void swap_faults_change(struct random *random);

/* Nothing, from now on. */
void swap_faults_end(void);

struct swap_faults {
	unsigned long writes, failed_writes, reads, failed_reads; /* atomic */
};

extern struct swap_faults swap_faults;

#endif
