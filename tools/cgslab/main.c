/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <error.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accounting/size.h"
#include "tools/cgslab/command.h"

/* Takes the place of the C library's, so it may not be hidden. */
__attribute__((visibility("default"))) const char *argp_program_version = "cgslab " CGSLAB_VERSION;

static const struct command {
	const char *name;
	const char *full_name; /* in messages */
	int (*run)(int argc, char **argv);
} commands[] = {
	{"run", "cgslab run", run_command},
	{"ls", "cgslab ls", ls_command},
	{"stat", "cgslab stat", stat_command},
	{"set", "cgslab set", set_command},
	{"reclaim", "cgslab reclaim", reclaim_command},
	{"compact", "cgslab compact", compact_command},
};

#define NR_COMMANDS (sizeof(commands) / sizeof(commands[0]))

/* ---- Common to the subcommands ------------------------------------------ */

error_t unknown_key(int key, struct argp_state *state)
{
	if (key == ARGP_KEY_INIT)
		state->err_stream = NULL;
	return ARGP_ERR_UNKNOWN;
}

void parse_options(const struct argp *argp, int argc, char **argv, void *input)
{
	if (argp_parse(argp, argc, argv, ARGP_IN_ORDER, NULL, input))
		exit(EXIT_USAGE);
}

int parse_pid(const char *text)
{
	char *end;
	long pid;

	errno = 0;
	pid = strtol(text, &end, 10);
	if (end == text || *end || errno || pid <= 0 || pid > INT_MAX)
		error(EXIT_USAGE, 0, "'%s' is not a process id", text);
	return (int)pid;
}

uint64_t parse_bytes(const char *text)
{
	uint64_t bytes;

	if (parse_size(text, &bytes))
		error(EXIT_USAGE, 0, "'%s' is not a size, such as 512M", text);
	return bytes;
}

int finish_output(void)
{
	if (fflush(stdout) || ferror(stdout))
		error(EXIT_FAILED, errno, "the output could not be written");
	return 0;
}

/* ---- cgslab ------------------------------------------------------------- */

struct request {
	char **args; /* the subcommand and its arguments */
	int nr_args;
};

static error_t parse_key(int key, char *arg, struct argp_state *state)
{
	struct request *request = state->input;

	(void)arg;
	if (key != ARGP_KEY_ARGS)
		return unknown_key(key, state);
	request->args = state->argv + state->next;
	request->nr_args = state->argc - state->next;
	return 0;
}

static const struct argp argp = {
	.parser = parse_key,
	.args_doc = "COMMAND [ARGUMENT...]",
	.doc = "Run a program with memory groups, and look at those of a running one.\v"
	       "Commands:\n"
	       "  run      run a program under cgslab\n"
	       "  ls       list the groups of a running process\n"
	       "  stat     show the numbers of one group of a running process\n"
	       "  set      set a limit of one group of a running process\n"
	       "  reclaim  have one group of a running process give memory back\n"
	       "  compact  have a running process move spans, so that huge pages become free\n"
	       "\n"
	       "'cgslab COMMAND --help' tells more of one.",
};

int main(int argc, char **argv)
{
	static char program[] = "cgslab";
	struct request request = {0};

	program_invocation_name = program;
	argv[0] = program;
	parse_options(&argp, argc, argv, &request);
	if (!request.nr_args)
		error(EXIT_USAGE, 0,
		      "a command is missing: run, ls, stat, set, reclaim or compact");
	for (size_t i = 0; i < NR_COMMANDS; i++) {
		if (strcmp(request.args[0], commands[i].name))
			continue;
		program_invocation_name = (char *)commands[i].full_name;
		request.args[0] = program_invocation_name;
		return commands[i].run(request.nr_args, request.args);
	}
	error(EXIT_USAGE, 0,
	      "'%s' is not a command; there are run, ls, stat, set, reclaim and compact",
	      request.args[0]);
	return EXIT_USAGE;
}
