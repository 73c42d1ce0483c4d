/* SPDX-License-Identifier: MIT */
/*
 * main() of every workload program.
 *
 *	PROGRAM [--ops N] [--scale F] [--threads N] [--live N] [--seed N] [--mode NAME] [--hold]
 *
 * --hold stays after the load has ended, with everything freed, until stdin is closed: time
 * for the driver to look at the process from outside.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/workloads/workload.h"

#define MODES (sizeof(workload.modes) / sizeof(workload.modes[0]))

void workload_fail(const char *message)
{
	fprintf(stderr, "%s: %s\n", program_invocation_short_name, message);
	exit(1);
}

static _Noreturn void usage_error(const char *what, const char *value)
{
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, value);
	exit(2);
}

static uint64_t parse_number(const char *name, const char *text, uint64_t min, uint64_t max)
{
	char *end;
	uint64_t value;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || end == text || *end || *text == '-' || value < min || value > max)
		usage_error(name, text);
	return value;
}

static double parse_scale(const char *text)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end || !(value > 0 && value <= 1000))
		usage_error("bad --scale", text);
	return value;
}

static unsigned parse_mode(const char *text)
{
	for (unsigned i = 0; i < MODES && workload.modes[i]; i++)
		if (!strcmp(text, workload.modes[i]))
			return i;
	usage_error("unknown --mode", text);
}

static unsigned default_threads(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	return cpus < 2 ? 2 : cpus > 16 ? 16 : (unsigned)cpus;
}

static void print_usage(void)
{
	printf("%s: %s\n"
	       "options: --ops N (%" PRIu64 ") --scale F --threads N --seed N --hold",
	       program_invocation_short_name, workload.about, workload.defaults.ops);
	for (unsigned i = 0; i < MODES && workload.modes[i]; i++)
		printf("%s%s", i ? "|" : " --mode ", workload.modes[i]);
	putchar('\n');
	exit(0);
}

static struct workload_params parse_options(int argc, char **argv, bool *hold)
{
	enum { OPS = 1, SCALE, THREADS, LIVE, SEED, MODE, HOLD, HELP };
	static const struct option options[] = {
		{"ops", 1, NULL, OPS},	 {"scale", 1, NULL, SCALE}, {"threads", 1, NULL, THREADS},
		{"live", 1, NULL, LIVE}, {"seed", 1, NULL, SEED},   {"mode", 1, NULL, MODE},
		{"hold", 0, NULL, HOLD}, {"help", 0, NULL, HELP},   {NULL, 0, NULL, 0},
	};
	struct workload_params params = workload.defaults;
	double scale = 1;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case OPS:
			params.ops = parse_number("bad --ops", optarg, 1, UINT64_MAX);
			break;
		case SCALE:
			scale = parse_scale(optarg);
			break;
		case THREADS:
			params.threads = (unsigned)parse_number("bad --threads", optarg, 1,
								WORKLOAD_MAX_THREADS);
			break;
		case LIVE:
			params.live = parse_number("bad --live", optarg, 1, UINT32_MAX);
			break;
		case SEED:
			params.seed = parse_number("bad --seed", optarg, 0, UINT64_MAX);
			break;
		case MODE:
			params.mode = parse_mode(optarg);
			break;
		case HOLD:
			*hold = true;
			break;
		case HELP:
			print_usage();
			break;
		default:
			exit(2); /* getopt has said what is wrong */
		}
	}
	if (optind < argc)
		usage_error("unexpected argument", argv[optind]);
	if (!params.threads)
		params.threads = default_threads();
	params.ops = (uint64_t)((double)params.ops * scale) + 1;
	return params;
}

static void hold_until_stdin_closes(void)
{
	char byte;

	puts("hold");
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
}

int main(int argc, char **argv)
{
	bool hold = false;
	struct workload_params params = parse_options(argc, argv, &hold);

	printf("checksum %016" PRIx64 "\n", workload.run(&params));
	if (hold)
		hold_until_stdin_closes();
	return 0;
}
