/* SPDX-License-Identifier: MIT */
/* cgslab stat: all numbers of one group, as "key value" lines. */
#include <error.h>
#include <inttypes.h>
#include <stdio.h>

#include "tools/cgslab/command.h"
#include "tools/cgslab/group_tree.h"

struct request {
	int pid;
	const char *path; /* NULL: the group of the process */
};

static error_t parse_key(int key, char *arg, struct argp_state *state)
{
	struct request *request = state->input;

	if (key != ARGP_KEY_ARG)
		return unknown_key(key, state);
	if (!request->pid)
		request->pid = parse_pid(arg);
	else if (!request->path)
		request->path = arg;
	else
		error(EXIT_USAGE, 0, "'%s' is one argument too many", arg);
	return 0;
}

static const struct argp argp = {
	.parser = parse_key,
	.args_doc = "PID [GROUP]",
	.doc = "Show all numbers of one group of a process that runs under cgslab.\v"
	       "GROUP is a path, such as /python3/worker; without it the group of the process is "
	       "shown, / is the root. Sizes are in bytes.",
};

static void print_number(const char *key, uint64_t value)
{
	printf("%s %" PRIu64 "\n", key, value);
}

static void print_limit(const char *key, uint64_t value)
{
	if (value == MEMCG_MAX)
		printf("%s max\n", key);
	else
		print_number(key, value);
}

static const char *const event_names[] = {
	[MEMCG_EVENT_LOW] = "low",	     [MEMCG_EVENT_HIGH] = "high",
	[MEMCG_EVENT_MAX] = "max",	     [MEMCG_EVENT_OOM] = "oom",
	[MEMCG_EVENT_OOM_KILL] = "oom_kill", [MEMCG_EVENT_OOM_GROUP_KILL] = "oom_group_kill",
	[MEMCG_EVENT_SWAP_HIGH] = "high",    [MEMCG_EVENT_SWAP_MAX] = "max",
	[MEMCG_EVENT_SWAP_FAIL] = "fail",
};

static void print_events(const char *prefix, const uint64_t *events, int first, int end)
{
	for (int i = first; i < end; i++)
		printf("%s.%s %" PRIu64 "\n", prefix, event_names[i], events[i]);
}

static void print_swap(const struct group *group)
{
	print_number("swap.current", group->swap);
	print_number("swap.peak", group->swap_peak);
	print_limit("swap.high", group->swap_high);
	print_limit("swap.max", group->swap_max);
	print_events("swap.events", group->events, MEMCG_EVENT_SWAP_HIGH, NR_MEMCG_EVENTS);
	print_number("zswap.current", group->zswap);
	print_limit("zswap.max", group->zswap_max);
	print_number("zswapped", group->zswapped);
}

static void print_group(const struct group *group)
{
	fputs("group ", stdout);
	group_print_path(group);
	putchar('\n');
	print_number("id", group->id);
	print_number("current", group->current);
	print_number("peak", group->peak);
	print_limit("min", group->min);
	print_limit("low", group->low);
	print_limit("high", group->high);
	print_limit("max", group->max);
	print_number("failcnt", group->failcnt);
	print_number("object", not_negative(group->object_bytes));
	print_number("span", not_negative(group->span_bytes));
	print_number("stock", group_stock(group));
	print_number("slab", not_negative(group->slab_bytes));
	print_number("waste", group_waste(group));
	if (group->objects > 0 || group->object_bytes <= 0)
		print_number("nr_objects", not_negative(group->objects));
	print_events("events", group->events, 0, MEMCG_EVENT_SWAP_HIGH);
	print_events("events.local", group->events_local, 0, MEMCG_EVENT_SWAP_HIGH);
	print_number("pressure.some", group->stall_some);
	print_number("pressure.full", group->stall_full);
	print_swap(group);
}

int stat_command(int argc, char **argv)
{
	struct request request = {0};
	struct process_counters counters;
	struct group *root, *group;

	parse_options(&argp, argc, argv, &request);
	if (!request.pid)
		error(EXIT_USAGE, 0, "a process id is missing");
	process_counters_open(&counters, request.pid, COUNTERS_READ);
	root = group_tree_read(&counters);
	group = group_of_user(root, request.path, request.pid);
	print_group(group);
	return finish_output();
}
