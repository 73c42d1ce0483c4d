/* SPDX-License-Identifier: MIT */
/* Asking a process for something; see accounting/control.h. */
#ifndef TOOLS_CGSLAB_REQUEST_H
#define TOOLS_CGSLAB_REQUEST_H

#include "tools/cgslab/process_counters.h"

/*
 * Asks for @pages, for CONTROL_COMPACT, or for CONTROL_MEET_LIMITS, which nobody waits for
 * and every other request does too. Returns the ticket, 0 if somebody else's request to the
 * group is still waiting.
 */
uint64_t request_send(const struct process_counters *counters, struct counters_record *record,
		      uint64_t pages);

/* Waits for the answer, as control.h says; the end with EXIT_FAILED if there comes none. */
uint64_t request_wait(struct counters_record *record, uint64_t ticket, int pid);

#endif
