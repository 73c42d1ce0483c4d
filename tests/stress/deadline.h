/* SPDX-License-Identifier: MIT */
/* How long a stress program runs: --seconds N, the last of them; 5 without. */
#ifndef TESTS_STRESS_DEADLINE_H
#define TESTS_STRESS_DEADLINE_H

#include <stdbool.h>

void deadline_start(int argc, char **argv);
bool deadline_passed(void);

/* Begins one of @parts equal parts of the time: its end is the deadline now. */
void deadline_start_part(unsigned int parts);

#endif
