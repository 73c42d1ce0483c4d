/* SPDX-License-Identifier: MIT */
#include "alloc/preload/conf.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accounting/size.h"
#include "alloc/base/message.h"

#define VALUE_MAX 255

static int set_bool(bool *field, const char *value)
{
	if (!strcmp(value, "true"))
		*field = true;
	else if (!strcmp(value, "false"))
		*field = false;
	else
		return -EINVAL;
	return 0;
}

static int set_group_by(struct conf *conf, const char *value)
{
	if (!strcmp(value, "none"))
		conf->group_by = GROUP_BY_NONE;
	else if (!strcmp(value, "comm"))
		conf->group_by = GROUP_BY_COMM;
	else
		return -EINVAL;
	return 0;
}

static int set_report(struct conf *conf, const char *value)
{
	if (!strcmp(value, "none"))
		conf->report = REPORT_NONE;
	else if (!strcmp(value, "text"))
		conf->report = REPORT_TEXT;
	else if (!strcmp(value, "json"))
		conf->report = REPORT_JSON;
	else
		return -EINVAL;
	return 0;
}

static int set_high(struct conf *conf, const char *value)
{
	return parse_size(value, &conf->high);
}

static int set_max(struct conf *conf, const char *value)
{
	return parse_size(value, &conf->max);
}

static int set_output(struct conf *conf, const char *value)
{
	if (!*value)
		return -EINVAL;
	strcpy(conf->output, value); /* as long as VALUE_MAX */
	return 0;
}

static int set_only_pid(struct conf *conf, const char *value)
{
	return parse_size(value, &conf->only_pid);
}

static int set_purge_thread(struct conf *conf, const char *value)
{
	return set_bool(&conf->purge_thread, value);
}

static int set_pressure(struct conf *conf, const char *value)
{
	if (!strcmp(value, "auto"))
		conf->pressure = PRESSURE_AUTO;
	else if (!strcmp(value, "true"))
		conf->pressure = PRESSURE_ON;
	else if (!strcmp(value, "false"))
		conf->pressure = PRESSURE_OFF;
	else
		return -EINVAL;
	return 0;
}

static int set_pressure_root(struct conf *conf, const char *value)
{
	if (*value != '/')
		return -EINVAL;
	strcpy(conf->pressure_root, value); /* as long as VALUE_MAX */
	return 0;
}

static int set_swap(struct conf *conf, const char *value)
{
	if (!*value)
		return -EINVAL;
	strcpy(conf->swap, value); /* as long as VALUE_MAX */
	return 0;
}

static int set_swap_max(struct conf *conf, const char *value)
{
	return parse_size(value, &conf->swap_max);
}

static int set_zswap(struct conf *conf, const char *value)
{
	return set_bool(&conf->zswap, value);
}

static int set_control(struct conf *conf, const char *value)
{
	return set_bool(&conf->control, value);
}

static int set_throttle(struct conf *conf, const char *value)
{
	return set_bool(&conf->throttle, value);
}

static int set_verify(struct conf *conf, const char *value)
{
	return set_bool(&conf->verify, value);
}

static int set_abort_conf(struct conf *conf, const char *value)
{
	return set_bool(&conf->abort_conf, value);
}

static int set_confirm_conf(struct conf *conf, const char *value)
{
	return set_bool(&conf->confirm_conf, value);
}

static const struct conf_key {
	const char *name;
	const char *values; /* for the message */
	int (*set)(struct conf *conf, const char *value);
} keys[] = {
	{"group_by", "none, comm", set_group_by},
	{"high", "max, or bytes with K, M, G or T", set_high},
	{"max", "max, or bytes with K, M, G or T", set_max},
	{"report", "none, text, json", set_report},
	{"output", "a file name", set_output},
	{"purge_thread", "true, false", set_purge_thread},
	{"pressure", "auto, true, false", set_pressure},
	{"pressure_root", "the absolute path of a folder", set_pressure_root},
	{"swap", "a folder", set_swap},
	{"swap_max", "max, or bytes with K, M, G or T", set_swap_max},
	{"zswap", "true, false", set_zswap},
	{"control", "true, false", set_control},
	{"throttle", "true, false", set_throttle},
	{"verify", "true, false", set_verify},
	{"only_pid", "a process id", set_only_pid},
	{"abort_conf", "true, false", set_abort_conf},
	{"confirm_conf", "true, false", set_confirm_conf},
};

static void complain_key(const char *name)
{
	char valid[256] = "";
	int len = 0;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		len += snprintf(valid + len, sizeof(valid) - (size_t)len, "%s%s", i ? ", " : "",
				keys[i].name);
	warn("CGSLAB_CONF: unknown key '%s'; valid keys: %s", name, valid);
}

/* Returns whether the pair was good. */
static bool parse_pair(struct conf *conf, char *pair)
{
	char *value = strchr(pair, ':');

	if (!value) {
		warn("CGSLAB_CONF: '%s' is not of the form key:value", pair);
		return false;
	}
	*value++ = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (strcmp(keys[i].name, pair))
			continue;
		if (!keys[i].set(conf, value))
			return true;
		warn("CGSLAB_CONF: bad value '%s' for '%s'; valid values: %s", value, pair,
		     keys[i].values);
		return false;
	}
	complain_key(pair);
	return false;
}

/*
 * The length up to the next comma; what fits is copied. By hand: a checked memcpy(),
 * which hardened builds call here, has pages of libc mapped at every start.
 */
static size_t next_pair(const char *text, char pair[VALUE_MAX + 1])
{
	size_t len = 0;

	for (; text[len] && text[len] != ','; len++)
		if (len < VALUE_MAX)
			pair[len] = text[len];
	pair[min_t(size_t, len, VALUE_MAX)] = '\0';
	return len;
}

void conf_parse(struct conf *conf, const char *text)
{
	bool good = true;

	while (*text) {
		char pair[VALUE_MAX + 1];
		size_t len = next_pair(text, pair);

		if (len > VALUE_MAX) {
			warn("CGSLAB_CONF: '%.32s...' is too long", text);
			good = false;
		} else if (len) {
			good &= parse_pair(conf, pair);
		}
		text += len + (text[len] == ',');
	}
	if (!good && conf->abort_conf)
		die("CGSLAB_CONF: aborted, as abort_conf:true asks");
}

static const char *show_size(uint64_t bytes, char buf[24])
{
	if (bytes == UINT64_MAX)
		return "max";
	snprintf(buf, 24, "%" PRIu64, bytes);
	return buf;
}

static const char *show_bool(bool value)
{
	return value ? "true" : "false";
}

void conf_print(const struct conf *conf)
{
	static const char *const group_by[] = {"none", "comm"};
	static const char *const report[] = {"none", "text", "json"};
	static const char *const pressure[] = {"auto", "true", "false"};
	char high[24], max[24], swap_max[24];

	warn("group_by:%s,high:%s,max:%s,report:%s,output:%s,purge_thread:%s,pressure:%s,"
	     "swap:%s,swap_max:%s,zswap:%s,control:%s,throttle:%s,verify:%s,abort_conf:%s",
	     group_by[conf->group_by], show_size(conf->high, high), show_size(conf->max, max),
	     report[conf->report], conf->output[0] ? conf->output : "(stderr)",
	     show_bool(conf->purge_thread), pressure[conf->pressure],
	     conf->swap[0] ? conf->swap : "(none)", show_size(conf->swap_max, swap_max),
	     show_bool(conf->zswap), show_bool(conf->control), show_bool(conf->throttle),
	     show_bool(conf->verify), show_bool(conf->abort_conf));
}
