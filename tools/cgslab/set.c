/* SPDX-License-Identifier: MIT */
/* cgslab set: sets a limit of a group of a running process. */
#include <error.h>
#include <stddef.h>
#include <string.h>

#include "accounting/control.h"
#include "tools/cgslab/command.h"
#include "tools/cgslab/group_tree.h"
#include "tools/cgslab/request.h"

static const struct limit {
	const char *file;
	size_t field; /* of struct counters_record */
} limits[] = {
	{"memory.min", offsetof(struct counters_record, min)},
	{"memory.low", offsetof(struct counters_record, low)},
	{"memory.high", offsetof(struct counters_record, memory.high)},
	{"memory.max", offsetof(struct counters_record, memory.max)},
	{"memory.swap.high", offsetof(struct counters_record, swap.high)},
	{"memory.swap.max", offsetof(struct counters_record, swap.max)},
	{"memory.zswap.max", offsetof(struct counters_record, zswap_max)},
};

struct command {
	int pid;
	const char *path;
	const struct limit *limit;
	const char *value;
	uint64_t bytes;
};

static const struct limit *parse_file(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
		if (!strcmp(limits[i].file, name))
			return &limits[i];
	error(EXIT_USAGE, 0,
	      "'%s' cannot be set; memory.min, memory.low, memory.high, memory.max, "
	      "memory.swap.high, memory.swap.max and memory.zswap.max can",
	      name);
	return NULL;
}

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
		command->limit = parse_file(arg);
		return 0;
	case 3:
		command->value = arg;
		command->bytes = parse_bytes(arg);
		return 0;
	}
	error(EXIT_USAGE, 0, "'%s' is one argument too many", arg);
	return 0;
}

static const struct argp argp = {
	.parser = parse_key,
	.args_doc = "PID GROUP FILE SIZE",
	.doc = "Set a limit of one group of a process that runs under cgslab.\v"
	       "GROUP is a path, such as /python3/worker. FILE is memory.min, memory.low, memory.high, "
	       "memory.max, memory.swap.high, memory.swap.max or memory.zswap.max. SIZE is in bytes, or with K, M, G or T, or max. The limit holds from "
	       "the next allocation on; what is used above it is given back as far as possible.",
};

static void set_limit(const struct process_counters *counters, struct counters_record *record,
		      const struct command *command)
{
	int64_t *limit = (int64_t *)((char *)record + command->limit->field);
	uint64_t pages = command->bytes / counters->header->page_size;

	WRITE_ONCE(*limit, (int64_t)min_t(uint64_t, pages, COUNTERS_NO_LIMIT));
	/* Where another request waits, that will do. */
	request_send(counters, record, CONTROL_MEET_LIMITS);
}

int set_command(int argc, char **argv)
{
	struct command command = {0};
	struct process_counters counters;
	struct group *root, *group;

	parse_options(&argp, argc, argv, &command);
	if (!command.value)
		error(EXIT_USAGE, 0, "a process id, a group, a file and a size are needed");
	process_counters_open(&counters, command.pid, COUNTERS_WRITE);
	root = group_tree_read(&counters);
	group = group_of_user(root, command.path, command.pid);
	if (group == root)
		error(EXIT_FAILED, 0, "the root has no limits");
	set_limit(&counters, group_record(&counters, root, group), &command);
	return 0;
}
