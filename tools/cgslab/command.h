/* SPDX-License-Identifier: MIT */
/*
 * What the subcommands have in common. Each complains with error(3), in one
 * line that starts with its name, and leaves with one of these statuses.
 */
#ifndef TOOLS_CGSLAB_COMMAND_H
#define TOOLS_CGSLAB_COMMAND_H

#include <argp.h>
#include <stdint.h>

#define EXIT_FAILED 1 /* the process or the library is not as it should be */
#define EXIT_USAGE  2 /* the command line is not */

/* run: the program could not be executed. As the shell's. */
#define EXIT_NOT_EXECUTABLE 126
#define EXIT_NOT_FOUND	    127

/*
 * argp_parse() for one subcommand: options end at the first argument that is
 * none. What getopt finds wrong it says itself, in one line.
 */
void parse_options(const struct argp *argp, int argc, char **argv, void *input);

/*
 * To be returned for keys that a parser does not know. Keeps argp from adding
 * a second line to getopt's message.
 */
error_t unknown_key(int key, struct argp_state *state);

/* A size in bytes, such as 512M, or the end with EXIT_USAGE. */
uint64_t parse_bytes(const char *text);

/* A process id, or the end with EXIT_USAGE. */
int parse_pid(const char *text);

/* Writes out stdout; the end with EXIT_FAILED if that fails. Returns 0. */
int finish_output(void);

/* The subcommands: argv[0] is "cgslab NAME". They return the exit status. */
int run_command(int argc, char **argv);
int ls_command(int argc, char **argv);
int stat_command(int argc, char **argv);
int set_command(int argc, char **argv);
int reclaim_command(int argc, char **argv);
int compact_command(int argc, char **argv);

#endif
