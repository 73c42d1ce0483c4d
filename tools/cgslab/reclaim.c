/* SPDX-License-Identifier: MIT */
/* cgslab reclaim: has a group of a running process give memory back. */
#include <error.h>
#include <stddef.h>

#include "accounting/control.h"
#include "tools/cgslab/command.h"
#include "tools/cgslab/group_tree.h"
#include "tools/cgslab/request.h"

struct command {
	int pid;
	const char *path;
	const char *size;
	uint64_t bytes;
};

static error_t parse_key(int key, char *arg, struct argp_state *state)
{
	struct command *command = state->input;

	if (key != ARGP_KEY_ARG)
		return unknown_key(key, state);
	switch (state->arg_num) {
	case 0:
		command->pid = parse_pid(arg);
		return 0;
	case 1:
		command->path = arg;
		return 0;
	case 2:
		command->size = arg;
		command->bytes = parse_bytes(arg);
		return 0;
	}
	error(EXIT_USAGE, 0, "'%s' is one argument too many", arg);
	return 0;
}

static const struct argp argp = {
	.parser = parse_key,
	.args_doc = "PID GROUP SIZE",
	.doc = "Have a group of a process that runs under cgslab give SIZE back.\v"
	       "GROUP is a path, such as /python3/worker, or / for all. SIZE is in bytes, or with K, "
	       "M, G or T. The exit status is 0 only if so much was given back.",
};

int reclaim_command(int argc, char **argv)
{
	struct command command = {0};
	struct process_counters counters;
	struct counters_record *record;
	struct group *root, *group;
	uint64_t pages, ticket;

	parse_options(&argp, argc, argv, &command);
	if (!command.size)
		error(EXIT_USAGE, 0, "a process id, a group and a size are needed");
	process_counters_open(&counters, command.pid, COUNTERS_WRITE);
	root = group_tree_read(&counters);
	group = group_of_user(root, command.path, command.pid);
	record = group_record(&counters, root, group);
	pages = min_t(uint64_t, command.bytes / counters.header->page_size, CONTROL_MOST_PAGES);
	if (!pages)
		return 0;
	ticket = request_send(&counters, record, pages);
	if (!ticket)
		error(EXIT_FAILED, 0, "another request for '%s' of process %d is waiting",
		      command.path, command.pid);
	if (request_wait(record, ticket, command.pid))
		error(EXIT_FAILED, 0, "'%s' of process %d has not that much to give back: %s",
		      command.path, command.pid, command.size);
	return 0;
}
