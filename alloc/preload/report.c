/* SPDX-License-Identifier: MIT */
/* The report at exit. It allocates nothing, so that it does not show itself. */
#include "alloc/preload/report.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "accounting/mem_cgroup.h"
#include "accounting/size.h"
#include "alloc/base/message.h"
#include "alloc/slab/task.h"

struct out {
	int fd;
	bool failed;
	bool first; /* no group was written yet */
	size_t used;
	char buf[4096];
};

static void out_flush(struct out *out)
{
	size_t done = 0;

	while (done < out->used && !out->failed) {
		ssize_t n = write(out->fd, out->buf + done, out->used - done);

		if (n > 0)
			done += (size_t)n;
		else if (n == 0 || errno != EINTR)
			out->failed = true;
	}
	out->used = 0;
}

__attribute__((format(printf, 2, 3))) static void put(struct out *out, const char *fmt, ...)
{
	va_list args;
	int n;

	if (sizeof(out->buf) - out->used < 1024)
		out_flush(out);
	va_start(args, fmt);
	n = vsnprintf(out->buf + out->used, sizeof(out->buf) - out->used, fmt, args);
	va_end(args);
	if (n > 0)
		out->used += min_t(size_t, (size_t)n, sizeof(out->buf) - out->used - 1);
}

/* ---- Text --------------------------------------------------------------- */

static unsigned int depth_below(const struct mem_cgroup *memcg, const struct mem_cgroup *top)
{
	unsigned int depth = 0;

	for (; memcg != top; memcg = memcg->parent)
		depth++;
	return depth;
}

static int text_group(struct mem_cgroup *memcg, void *arg)
{
	struct mem_cgroup_stat stat = {.size = sizeof(stat)};
	struct out *out = arg;
	char b[6][16];
	int indent = (int)depth_below(memcg, process_memcg) * 2;

	mem_cgroup_stat(memcg, &stat);
	put(out, "%*s%-*s %9s %9s %9s %9" PRIu64 " %9s %9s %7" PRIu64 " %6" PRIu64 " %9s\n", indent,
	    "", max_t(int, 24 - indent, 1), mem_cgroup_name(memcg),
	    format_size(stat.current, b[0], sizeof(b[0])),
	    format_size(mem_cgroup_peak(memcg), b[1], sizeof(b[1])),
	    format_size(stat.object_bytes + stat.span_bytes, b[2], sizeof(b[2])), stat.objects,
	    format_size(stat.slab_bytes, b[3], sizeof(b[3])),
	    format_size(stat.waste_bytes, b[4], sizeof(b[4])),
	    mem_cgroup_event(memcg, MEMCG_EVENT_MAX), mem_cgroup_event(memcg, MEMCG_EVENT_OOM),
	    format_size(mem_cgroup_swap_usage(memcg), b[5], sizeof(b[5])));
	return 0;
}

static void report_text(struct out *out)
{
	put(out, "%-24s %9s %9s %9s %9s %9s %9s %7s %6s %9s\n", "GROUP", "CURRENT", "PEAK", "LIVE",
	    "OBJECTS", "SLAB", "WASTE", "EV:MAX", "EV:OOM", "SWAP");
	mem_cgroup_walk(process_memcg, text_group, out);
}

/* ---- JSON --------------------------------------------------------------- */

/* Names are any bytes but controls and '/'; what is not UTF-8 is replaced. */
static size_t utf8_length(const unsigned char *s)
{
	size_t n = s[0] < 0x80		 ? 1
		   : (s[0] >> 5) == 0x06 ? 2
		   : (s[0] >> 4) == 0x0e ? 3
		   : (s[0] >> 3) == 0x1e ? 4
					 : 0;

	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

static void put_json_string(struct out *out, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;

	put(out, "\"");
	while (*s) {
		size_t n = utf8_length(s);

		if (*s == '"' || *s == '\\')
			put(out, "\\%c", *s);
		else if (n == 0)
			put(out, "\\ufffd");
		else
			put(out, "%.*s", (int)n, (const char *)s);
		s += n ? n : 1;
	}
	put(out, "\"");
}

static int json_group(struct mem_cgroup *memcg, void *arg)
{
	struct mem_cgroup_stat stat = {.size = sizeof(stat)};
	struct out *out = arg;
	char path[512];

	mem_cgroup_stat(memcg, &stat);
	mem_cgroup_path(memcg, path, sizeof(path));
	put(out, "%s{\"path\":", out->first ? "" : ",");
	out->first = false;
	put_json_string(out, path);
	put(out,
	    ",\"current\":%" PRIu64 ",\"peak\":%" PRIu64 ",\"live_bytes\":%" PRIu64
	    ",\"objects\":%" PRIu64 ",\"span_bytes\":%" PRIu64 ",\"slab_bytes\":%" PRIu64
	    ",\"waste_bytes\":%" PRIu64 ",\"swap\":%" PRIu64 ",\"swap_peak\":%" PRIu64,
	    stat.current, mem_cgroup_peak(memcg), stat.object_bytes + stat.span_bytes, stat.objects,
	    stat.span_bytes, stat.slab_bytes, stat.waste_bytes, mem_cgroup_swap_usage(memcg),
	    mem_cgroup_swap_peak(memcg));
	if (mem_cgroup_high(memcg) != MEMCG_MAX)
		put(out, ",\"high\":%" PRIu64, mem_cgroup_high(memcg));
	if (mem_cgroup_swap_max(memcg) != MEMCG_MAX)
		put(out, ",\"swap_max\":%" PRIu64, mem_cgroup_swap_max(memcg));
	if (mem_cgroup_max(memcg) != MEMCG_MAX)
		put(out, ",\"max\":%" PRIu64, mem_cgroup_max(memcg));
	put(out,
	    ",\"events\":{\"low\":%" PRIu64 ",\"high\":%" PRIu64 ",\"max\":%" PRIu64
	    ",\"oom\":%" PRIu64 "}}",
	    mem_cgroup_event(memcg, MEMCG_EVENT_LOW), mem_cgroup_event(memcg, MEMCG_EVENT_HIGH),
	    mem_cgroup_event(memcg, MEMCG_EVENT_MAX), mem_cgroup_event(memcg, MEMCG_EVENT_OOM));
	return 0;
}

static void report_json(struct out *out)
{
	put(out, "{\"version\":1,\"groups\":[");
	mem_cgroup_walk(process_memcg, json_group, out);
	put(out, "]}\n");
}

void report_write(const struct conf *conf)
{
	struct out out = {.fd = message_fd(), .first = true};

	if (conf->output[0]) {
		out.fd = open(conf->output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
		if (out.fd < 0) {
			warn("output '%s': %s", conf->output, strerror(errno));
			return;
		}
	}
	if (conf->report == REPORT_JSON)
		report_json(&out);
	else
		report_text(&out);
	out_flush(&out);
	if (out.failed)
		warn("the report could not be written: %s", strerror(errno));
	if (conf->output[0])
		close(out.fd);
}
