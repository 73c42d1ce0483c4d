/* SPDX-License-Identifier: MIT */
/*
 * cgslab run: sets the environment and becomes the program, so that its exit
 * status, signals and process id are its own.
 */
#include <errno.h>
#include <error.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "accounting/size.h"
#include "tools/cgslab/command.h"
#include "tools/cgslab/launch_env.h"

/* The longest "key:value" of CGSLAB_CONF. */
#define PAIR_MAX 255

enum option_key {
	KEY_GROUP_BY = 256,
	KEY_HIGH,
	KEY_MAX,
	KEY_THROTTLE,
	KEY_SWAP,
	KEY_SWAP_MAX,
	KEY_ZSWAP,
	KEY_CONTROL,
	KEY_REPORT,
	KEY_OUTPUT
};

static const struct argp_option options[] = {
	{"group-by", KEY_GROUP_BY, "none|comm", 0,
	 "one group for all (none), or one for each name of a thread (comm)", 0},
	{"high", KEY_HIGH, "SIZE", 0,
	 "reclaim memory past SIZE: bytes, or with K, M, G or T, or max", 0},
	{"throttle", KEY_THROTTLE, NULL, 0, "slow down allocations past --high", 0},
	{"max", KEY_MAX, "SIZE", 0,
	 "refuse allocations past SIZE: bytes, or with K, M, G or T, or max", 0},
	{"swap", KEY_SWAP, "DIR", 0,
	 "write spans that may be swapped to a file in DIR when memory is short", 0},
	{"swap-max", KEY_SWAP_MAX, "SIZE", 0,
	 "let that file have SIZE at most: bytes, or with K, M, G or T, or max", 0},
	{"zswap", KEY_ZSWAP, NULL, 0,
	 "compress what would go to that file, and keep it in memory first", 0},
	{"control", KEY_CONTROL, NULL, 0,
	 "start a thread that listens to cgslab set and reclaim, also while the program rests", 0},
	{"report", KEY_REPORT, "text|json", 0, "the form of the report at exit (text)", 0},
	{"output", KEY_OUTPUT, "FILE", 0, "write the report to FILE, not to standard error", 0},
	{0},
};

struct run {
	char *pairs; /* of the options, for CGSLAB_CONF; each followed by a comma */
	size_t len;
	FILE *stream; /* writes pairs */
	char **program;
};

static void add_pair(struct run *run, const char *option, const char *key, const char *value)
{
	if (strchr(value, ','))
		error(EXIT_USAGE, 0, "%s: '%s' has a comma, which CGSLAB_CONF cannot", option,
		      value);
	if (strlen(key) + 1 + strlen(value) > PAIR_MAX)
		error(EXIT_USAGE, 0, "%s: '%s' is longer than %zu bytes", option, value,
		      PAIR_MAX - strlen(key) - 1);
	fprintf(run->stream, "%s:%s,", key, value);
}

static void add_choice(struct run *run, const char *option, const char *key, const char *value,
		       const char *first, const char *second)
{
	if (strcmp(value, first) && strcmp(value, second))
		error(EXIT_USAGE, 0, "%s: '%s' is neither %s nor %s", option, value, first, second);
	add_pair(run, option, key, value);
}

static void add_size(struct run *run, const char *option, const char *key, const char *value)
{
	uint64_t bytes;

	if (parse_size(value, &bytes))
		error(EXIT_USAGE, 0, "%s: '%s' is not a size, such as 512M", option, value);
	add_pair(run, option, key, value);
}

/* The program may change its directory, and so may those that it starts. */
static void add_path(struct run *run, const char *option, const char *key, const char *file)
{
	char *cwd, *path;

	if (!*file)
		error(EXIT_USAGE, 0, "%s: the name is empty", option);
	if (*file == '/') {
		add_pair(run, option, key, file);
		return;
	}
	cwd = getcwd(NULL, 0);
	if (!cwd)
		error(EXIT_FAILED, errno, "the current directory");
	if (asprintf(&path, "%s/%s", strcmp(cwd, "/") ? cwd : "", file) < 0)
		error(EXIT_FAILED, ENOMEM, "%s", option);
	add_pair(run, option, key, path);
	free(path);
	free(cwd);
}

static error_t parse_key(int key, char *arg, struct argp_state *state)
{
	struct run *run = state->input;

	switch (key) {
	case KEY_GROUP_BY:
		add_choice(run, "--group-by", "group_by", arg, "none", "comm");
		return 0;
	case KEY_HIGH:
		add_size(run, "--high", "high", arg);
		return 0;
	case KEY_THROTTLE:
		add_pair(run, "--throttle", "throttle", "true");
		return 0;
	case KEY_CONTROL:
		add_pair(run, "--control", "control", "true");
		return 0;
	case KEY_SWAP:
		add_path(run, "--swap", "swap", arg);
		return 0;
	case KEY_SWAP_MAX:
		add_size(run, "--swap-max", "swap_max", arg);
		return 0;
	case KEY_ZSWAP:
		add_pair(run, "--zswap", "zswap", "true");
		return 0;
	case KEY_MAX:
		add_size(run, "--max", "max", arg);
		return 0;
	case KEY_REPORT:
		add_choice(run, "--report", "report", arg, "text", "json");
		return 0;
	case KEY_OUTPUT:
		add_path(run, "--output", "output", arg);
		return 0;
	case ARGP_KEY_ARGS:
		run->program = state->argv + state->next;
		return 0;
	}
	return unknown_key(key, state);
}

static const struct argp argp = {
	.options = options,
	.parser = parse_key,
	.args_doc = "[--] PROGRAM [ARGUMENT...]",
	.doc = "Run a program under cgslab and report at its end where its memory went.\v"
	       "What CGSLAB_CONF already says holds unless an option here says otherwise. Only "
	       "the program itself reports, not the programs that it starts.",
};

int run_command(int argc, char **argv)
{
	struct run run = {0};
	char *library;
	int err;

	run.stream = open_memstream(&run.pairs, &run.len);
	if (!run.stream)
		error(EXIT_FAILED, errno, "options");
	parse_options(&argp, argc, argv, &run);
	if (!run.program || !*run.program)
		error(EXIT_USAGE, 0, "a program to run is missing");
	fprintf(run.stream, "only_pid:%d", (int)getpid());
	if (fclose(run.stream))
		error(EXIT_FAILED, errno, "options");
	library = find_library();
	preload(library);
	configure("report:text", run.pairs);
	free(library);
	free(run.pairs);
	execvp(run.program[0], run.program);
	err = errno;
	error(err == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE, err, "'%s'", run.program[0]);
	return EXIT_NOT_EXECUTABLE;
}
