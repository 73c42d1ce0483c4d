/* SPDX-License-Identifier: MIT */
/* The counters of a running process; see accounting/counters.h. */
#ifndef TOOLS_CGSLAB_PROCESS_COUNTERS_H
#define TOOLS_CGSLAB_PROCESS_COUNTERS_H

#include "accounting/counters.h"

struct process_counters {
	int pid;
	struct counters_header *header;
	struct counters_record *records; /* live */
	uint32_t nr_records;
};

enum counters_use { COUNTERS_READ, COUNTERS_WRITE };

/*
 * Maps them, to be read only unless @use says more. Ends the command with one line if
 * the process cannot be looked at.
 */
void process_counters_open(struct process_counters *counters, int pid, enum counters_use use);

#endif
