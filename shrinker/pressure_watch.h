/* SPDX-License-Identifier: MIT */
/*
 * A file that says when tasks had to wait for memory: a pressure file of the
 * kernel (pressure stall information, PSI), on which a trigger is set, or what
 * MEMORY_PRESSURE_WATCH names.
 */
#ifndef SHRINKER_PRESSURE_WATCH_H
#define SHRINKER_PRESSURE_WATCH_H

#include <linux/limits.h>

#include "shrinker/kept_file.h"

/* The longest text that MEMORY_PRESSURE_WRITE may stand for. */
#define PRESSURE_WRITE_MAX 1024

struct pressure_watch {
	struct kept_file file;
	short events; /* for poll() */
	bool drain;   /* what arrives is read, and means nothing */
};

/* What the environment asks for; https://systemd.io/PRESSURE has the convention. */
struct pressure_environment {
	char path[PATH_MAX]; /* "": nothing */
	size_t write_len;
	char write[PRESSURE_WRITE_MAX];
};

/* @watch, @write: the values of MEMORY_PRESSURE_WATCH and _WRITE; NULL: not set. Bad ones are
 * ignored. */
void pressure_environment_set(struct pressure_environment *environment, const char *watch,
			      const char *write);

/* Whether it says that the program shall not care. */
bool pressure_environment_forbids(const struct pressure_environment *environment);

/*
 * Opens what the environment names: a pressure file, a FIFO or a listening stream
 * socket. Returns 0 or -errno.
 */
int pressure_watch_open_named(struct pressure_watch *watch,
			      const struct pressure_environment *environment);

/* Sets a trigger of our own on a pressure file. Returns 0 or -errno. */
int pressure_watch_open(struct pressure_watch *watch, const char *path);

/* After poll(): whether there was pressure. Closes what will say nothing any more. */
bool pressure_watch_fired(struct pressure_watch *watch, short revents);

void pressure_watch_close(struct pressure_watch *watch);

#endif
