/* SPDX-License-Identifier: MIT */
/* The counters of a running process, mapped read-only; see accounting/counters.h. */
#ifndef TOOLS_CGSLAB_PROCESS_COUNTERS_H
#define TOOLS_CGSLAB_PROCESS_COUNTERS_H

#include "accounting/counters.h"

struct process_counters {
	int pid;
	const struct counters_header *header;
	const struct counters_record *records; /* live */
	uint32_t nr_records;
};

/* Ends the command with one line if the process cannot be looked at. */
void process_counters_open(struct process_counters *counters, int pid);

#endif
