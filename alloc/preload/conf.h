/* SPDX-License-Identifier: MIT */
/*
 * CGSLAB_CONF: "key:value,key:value". What is wrong with it is said on stderr,
 * once; the program goes on unless abort_conf:true. docs/configuration.md has
 * the keys.
 */
#ifndef ALLOC_PRELOAD_CONF_H
#define ALLOC_PRELOAD_CONF_H

#include "alloc/base/compiler.h"
#include "shrinker/pressure.h"

enum conf_group_by { GROUP_BY_NONE, GROUP_BY_COMM };
enum conf_report { REPORT_NONE, REPORT_TEXT, REPORT_JSON };

struct conf {
	enum conf_group_by group_by;
	enum conf_report report;
	enum pressure_mode pressure;
	uint64_t high, max; /* bytes; UINT64_MAX: no limit */
	uint64_t swap_max;  /* bytes of the swap file; UINT64_MAX: no limit */
	uint64_t only_pid;  /* who reports; 0: every process */
	bool zswap;
	bool purge_thread;
	bool control;
	bool throttle;
	bool verify;
	bool abort_conf;
	bool confirm_conf;
	char output[256];	 /* a file; "": stderr */
	char pressure_root[256]; /* a folder in place of "/"; "": none */
	char swap[256];		 /* the folder of the swap file; "": none */
};

/* Reads @text into @conf, whose other fields keep their values. */
void conf_parse(struct conf *conf, const char *text);

/* Writes the configuration in force to stderr. */
void conf_print(const struct conf *conf);

#endif
