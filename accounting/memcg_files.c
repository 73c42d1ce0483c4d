/* SPDX-License-Identifier: MIT */
/*
 * The interface files of a group by their cgroup v2 names, and the typed
 * functions behind them.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "accounting/mem_cgroup.h"
#include "accounting/size.h"
#include "alloc/base/os.h"

/* ---- Text --------------------------------------------------------------- */

struct text {
	char *buf;
	size_t len, used;
};

__attribute__((format(printf, 2, 3))) static void put(struct text *text, const char *fmt, ...)
{
	size_t room = text->used < text->len ? text->len - text->used : 0;
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(room ? text->buf + text->used : NULL, room, fmt, args);
	va_end(args);
	if (n > 0)
		text->used += (size_t)n;
}

static void show_bytes(struct text *text, uint64_t bytes)
{
	if (bytes == MEMCG_MAX)
		put(text, "max\n");
	else
		put(text, "%" PRIu64 "\n", bytes);
}

static void show_current(struct mem_cgroup *memcg, struct text *text)
{
	show_bytes(text, mem_cgroup_usage(memcg));
}

static void show_peak(struct mem_cgroup *memcg, struct text *text)
{
	show_bytes(text, mem_cgroup_peak(memcg));
}

static void show_max(struct mem_cgroup *memcg, struct text *text)
{
	show_bytes(text, mem_cgroup_max(memcg));
}

static void show_stat(struct mem_cgroup *memcg, struct text *text)
{
	struct mem_cgroup_stat stat = {.size = sizeof(stat)};

	mem_cgroup_stat(memcg, &stat);
	put(text, "current %" PRIu64 "\n", stat.current);
	put(text, "object %" PRIu64 "\n", stat.object_bytes);
	put(text, "span %" PRIu64 "\n", stat.span_bytes);
	put(text, "stock %" PRIu64 "\n", stat.stock_bytes);
	put(text, "slab %" PRIu64 "\n", stat.slab_bytes);
	put(text, "waste %" PRIu64 "\n", stat.waste_bytes);
	put(text, "nr_objects %" PRIu64 "\n", stat.objects);
}

static void show_event_array(const uint64_t *events, struct text *text)
{
	for (int i = 0; i < NR_MEMCG_EVENTS; i++)
		put(text, "%s %" PRIu64 "\n", memcg_event_name((enum memcg_event)i),
		    READ_ONCE(events[i]));
}

static void show_events(struct mem_cgroup *memcg, struct text *text)
{
	show_event_array(memcg->memory.record->events, text);
}

static void show_events_local(struct mem_cgroup *memcg, struct text *text)
{
	show_event_array(memcg->memory.record->events_local, text);
}

static void show_pressure_line(struct text *text, const char *name,
			       const struct mem_cgroup_pressure_line *line)
{
	put(text, "%s avg10=%u.%02u avg60=%u.%02u avg300=%u.%02u total=%" PRIu64 "\n", name,
	    line->avg10 / 100, line->avg10 % 100, line->avg60 / 100, line->avg60 % 100,
	    line->avg300 / 100, line->avg300 % 100, line->total_us);
}

static void show_pressure(struct mem_cgroup *memcg, struct text *text)
{
	struct mem_cgroup_pressure pressure = {.size = sizeof(pressure)};

	mem_cgroup_pressure(memcg, &pressure);
	show_pressure_line(text, "some", &pressure.some);
	show_pressure_line(text, "full", &pressure.full);
}

static void show_cgroup_stat(struct mem_cgroup *memcg, struct text *text)
{
	put(text, "nr_descendants %" PRIu64 "\n", mem_cgroup_nr_descendants(memcg));
	put(text, "nr_dying_descendants %" PRIu64 "\n", mem_cgroup_nr_dying_descendants(memcg));
}

static void show_cgroup_events(struct mem_cgroup *memcg, struct text *text)
{
	put(text, "populated %d\n", mem_cgroup_populated(memcg));
}

static int write_peak(struct mem_cgroup *memcg, const char *value)
{
	(void)value; /* as in the kernel: anything begins anew */
	mem_cgroup_reset_peak(memcg);
	return 0;
}

static int write_max(struct mem_cgroup *memcg, const char *value)
{
	uint64_t bytes;

	if (parse_size(value, &bytes))
		return -EINVAL;
	return mem_cgroup_set_max(memcg, bytes);
}

static const struct memcg_file {
	const char *name;
	void (*show)(struct mem_cgroup *memcg, struct text *text);
	int (*write)(struct mem_cgroup *memcg, const char *value);
} files[] = {
	{"memory.current", show_current, NULL},
	{"memory.peak", show_peak, write_peak},
	{"memory.max", show_max, write_max},
	{"memory.stat", show_stat, NULL},
	{"memory.events", show_events, NULL},
	{"memory.events.local", show_events_local, NULL},
	{"memory.pressure", show_pressure, NULL},
	{"cgroup.stat", show_cgroup_stat, NULL},
	{"cgroup.events", show_cgroup_events, NULL},
};

static const struct memcg_file *find_file(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (!strcmp(files[i].name, name))
			return &files[i];
	return NULL;
}

long mem_cgroup_read(struct mem_cgroup *memcg, const char *name, char *buf, size_t len)
{
	const struct memcg_file *file = find_file(name);
	struct text text = {.buf = buf, .len = len};

	if (!file)
		return -ENOENT;
	file->show(memcg, &text);
	return (long)text.used;
}

int mem_cgroup_write(struct mem_cgroup *memcg, const char *name, const char *value)
{
	const struct memcg_file *file = find_file(name);

	if (!file)
		return -ENOENT;
	if (!file->write)
		return -EACCES;
	return file->write(memcg, value);
}
