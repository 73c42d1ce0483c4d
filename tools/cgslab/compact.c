/* SPDX-License-Identifier: MIT */
/* cgslab compact: has a running process move spans, so that huge pages become free. */
#include <error.h>
#include <inttypes.h>
#include <stdio.h>

#include "accounting/control.h"
#include "tools/cgslab/command.h"
#include "tools/cgslab/group_tree.h"
#include "tools/cgslab/request.h"

static error_t parse_key(int key, char *arg, struct argp_state *state)
{
	int *pid = state->input;

	if (key != ARGP_KEY_ARG)
		return unknown_key(key, state);
	if (*pid)
		error(EXIT_USAGE, 0, "'%s' is one argument too many", arg);
	*pid = parse_pid(arg);
	return 0;
}

static const struct argp argp = {
	.parser = parse_key,
	.args_doc = "PID",
	.doc = "Have a process that runs under cgslab move what it may, so that whole huge pages go "
	       "back to the machine, and show how many bytes did.",
};

int compact_command(int argc, char **argv)
{
	struct process_counters counters;
	struct counters_record *record;
	struct group *root;
	uint64_t ticket, pages;
	int pid = 0;

	parse_options(&argp, argc, argv, &pid);
	if (!pid)
		error(EXIT_USAGE, 0, "a process id is missing");
	process_counters_open(&counters, pid, COUNTERS_WRITE);
	root = group_tree_read(&counters);
	record = group_record(&counters, root, root);
	ticket = request_send(&counters, record, CONTROL_COMPACT);
	if (!ticket)
		error(EXIT_FAILED, 0, "another request for '/' of process %d is waiting", pid);
	pages = request_wait(record, ticket, pid);
	printf("compacted %" PRIu64 "\n", pages * counters.header->page_size);
	return finish_output();
}
