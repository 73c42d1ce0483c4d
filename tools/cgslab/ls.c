/* SPDX-License-Identifier: MIT */
/* cgslab ls: the tree of groups, in the columns of the report at exit. */
#include <error.h>
#include <inttypes.h>
#include <stdio.h>

#include "accounting/size.h"
#include "tools/cgslab/command.h"
#include "tools/cgslab/group_tree.h"

#define NAME_WIDTH 24

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
	.doc = "List the groups of a process that runs under cgslab.\v"
	       "CURRENT, PEAK, SWAP and the events are exact. The others are as of the last time that "
	       "each thread settled its stock of bytes.",
};

/* Object counts are not in every library's counters. */
static const char *count(const struct group *group, char *buf, size_t len)
{
	if (group->objects <= 0 && group->object_bytes > 0)
		return "-";
	snprintf(buf, len, "%" PRId64, group->objects);
	return buf;
}

static void print_group(const struct group *group)
{
	int indent = (int)group_depth(group) * 2;
	int width = indent < NAME_WIDTH ? NAME_WIDTH - indent : 0;
	char b[7][24];

	printf("%*s%-*s %9s %9s %9s %9s %9s %9s %7" PRIu64 " %6" PRIu64 " %9s\n", indent, "", width,
	       group_name(group), format_size(group->current, b[0], sizeof(b[0])),
	       format_size(group->peak, b[1], sizeof(b[1])),
	       format_size(group_live(group), b[2], sizeof(b[2])), count(group, b[3], sizeof(b[3])),
	       format_size(not_negative(group->slab_bytes), b[4], sizeof(b[4])),
	       format_size(group_waste(group), b[5], sizeof(b[5])), group->events[MEMCG_EVENT_MAX],
	       group->events[MEMCG_EVENT_OOM], format_size(group->swap, b[6], sizeof(b[6])));
}

int ls_command(int argc, char **argv)
{
	struct process_counters counters;
	struct group *group;
	int pid = 0;

	parse_options(&argp, argc, argv, &pid);
	if (!pid)
		error(EXIT_USAGE, 0, "a process id is missing");
	process_counters_open(&counters, pid, COUNTERS_READ);
	group = group_tree_read(&counters);
	printf("%-24s %9s %9s %9s %9s %9s %9s %7s %6s %9s\n", "GROUP", "CURRENT", "PEAK", "LIVE",
	       "OBJECTS", "SLAB", "WASTE", "EV:MAX", "EV:OOM", "SWAP");
	for (; group; group = group_next(group))
		print_group(group);
	return finish_output();
}
