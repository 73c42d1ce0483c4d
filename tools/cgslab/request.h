/* SPDX-License-Identifier: MIT */
/* Asking a process for something; see accounting/control.h. */
#ifndef TOOLS_CGSLAB_REQUEST_H
#define TOOLS_CGSLAB_REQUEST_H

#include "tools/cgslab/process_counters.h"

/*
 * Asks for @pages, or CONTROL_MEET_LIMITS, which nobody waits for and every other
 * request does too. Returns the ticket, 0 if somebody else's request for pages of the group
 * is still waiting.
 */
uint64_t request_send(const struct process_counters *counters, struct counters_record *record,
		      uint64_t pages);

enum request_result {
	REQUEST_DONE,
	REQUEST_FAILED,	    /* the process has tried */
	REQUEST_IGNORED,    /* nobody has looked; it is taken back */
	REQUEST_UNANSWERED, /* it is at it still, or has ended */
};

/* Waits for what has come of it, some time. */
enum request_result request_wait(struct counters_record *record, uint64_t ticket, int pid);

#endif
