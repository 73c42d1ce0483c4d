/* SPDX-License-Identifier: MIT */
/*
 * The interface files of a group by their cgroup v2 names, as text; the typed
 * functions behind them are elsewhere.
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
	put(text, "swap %" PRIu64 "\n", stat.swap_bytes);
	put(text, "swap_transit %" PRIu64 "\n", stat.swap_transit);
	put(text, "zswap %" PRIu64 "\n", stat.zswap_bytes);
	put(text, "zswapped %" PRIu64 "\n", stat.zswapped);
	put(text, "pswpin %" PRIu64 "\n", stat.pswpin);
	put(text, "pswpout %" PRIu64 "\n", stat.pswpout);
	put(text, "zswpin %" PRIu64 "\n", stat.zswpin);
	put(text, "zswpout %" PRIu64 "\n", stat.zswpout);
	put(text, "zswpwb %" PRIu64 "\n", stat.zswpwb);
}

static void show_event(struct text *text, enum memcg_event event, uint64_t nr)
{
	put(text, "%s %" PRIu64 "\n", memcg_event_name(event), nr);
}

static void show_events(struct mem_cgroup *memcg, struct text *text)
{
	for (enum memcg_event event = 0; event < MEMCG_EVENT_SWAP_HIGH; event++)
		show_event(text, event, mem_cgroup_event(memcg, event));
}

static void show_events_local(struct mem_cgroup *memcg, struct text *text)
{
	for (enum memcg_event event = 0; event < MEMCG_EVENT_SWAP_HIGH; event++)
		show_event(text, event, mem_cgroup_event_local(memcg, event));
}

static void show_swap_events(struct mem_cgroup *memcg, struct text *text)
{
	for (enum memcg_event event = MEMCG_EVENT_SWAP_HIGH; event < NR_MEMCG_EVENTS; event++)
		show_event(text, event, mem_cgroup_event(memcg, event));
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

static void show_oom_group(struct mem_cgroup *memcg, struct text *text)
{
	put(text, "%d\n", mem_cgroup_get_oom_group(memcg));
}

static int write_oom_group(struct mem_cgroup *memcg, const char *value)
{
	uint64_t together;

	if (parse_size(value, &together) || together > 1)
		return -EINVAL;
	return mem_cgroup_set_oom_group(memcg, together);
}

static int write_peak(struct mem_cgroup *memcg, const char *value)
{
	(void)value; /* as in the kernel: anything begins anew */
	mem_cgroup_reset_peak(memcg);
	return 0;
}

static int write_swap_peak(struct mem_cgroup *memcg, const char *value)
{
	(void)value;
	mem_cgroup_reset_swap_peak(memcg);
	return 0;
}

/* A file is a number of bytes, or it has functions of its own. NULL: not for that. */
static const struct memcg_file {
	const char *name;
	uint64_t (*get)(const struct mem_cgroup *memcg);
	int (*set)(struct mem_cgroup *memcg, uint64_t bytes);
	void (*show)(struct mem_cgroup *memcg, struct text *text);
	int (*write)(struct mem_cgroup *memcg, const char *value);
} files[] = {
	{.name = "memory.current", .get = mem_cgroup_usage},
	{.name = "memory.min", .get = mem_cgroup_min, .set = mem_cgroup_set_min},
	{.name = "memory.low", .get = mem_cgroup_low, .set = mem_cgroup_set_low},
	{.name = "memory.high", .get = mem_cgroup_high, .set = mem_cgroup_set_high},
	{.name = "memory.max", .get = mem_cgroup_max, .set = mem_cgroup_set_max},
	{.name = "memory.peak", .get = mem_cgroup_peak, .write = write_peak},
	{.name = "memory.reclaim", .set = mem_cgroup_reclaim},
	{.name = "memory.stat", .show = show_stat},
	{.name = "memory.events", .show = show_events},
	{.name = "memory.events.local", .show = show_events_local},
	{.name = "memory.oom.group", .show = show_oom_group, .write = write_oom_group},
	{.name = "memory.pressure", .show = show_pressure},
	{.name = "memory.swap.current", .get = mem_cgroup_swap_usage},
	{.name = "memory.swap.high", .get = mem_cgroup_swap_high, .set = mem_cgroup_set_swap_high},
	{.name = "memory.swap.max", .get = mem_cgroup_swap_max, .set = mem_cgroup_set_swap_max},
	{.name = "memory.swap.peak", .get = mem_cgroup_swap_peak, .write = write_swap_peak},
	{.name = "memory.swap.events", .show = show_swap_events},
	{.name = "memory.zswap.current", .get = mem_cgroup_zswap_usage},
	{.name = "memory.zswap.max", .get = mem_cgroup_zswap_max, .set = mem_cgroup_set_zswap_max},
	{.name = "cgroup.stat", .show = show_cgroup_stat},
	{.name = "cgroup.events", .show = show_cgroup_events},
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
	if (file->show)
		file->show(memcg, &text);
	else if (file->get)
		show_bytes(&text, file->get(memcg));
	else
		return -EACCES;
	return (long)text.used;
}

int mem_cgroup_write(struct mem_cgroup *memcg, const char *name, const char *value)
{
	const struct memcg_file *file = find_file(name);
	uint64_t bytes;

	if (!file)
		return -ENOENT;
	if (file->write)
		return file->write(memcg, value);
	if (!file->set)
		return -EACCES;
	if (parse_size(value, &bytes))
		return -EINVAL;
	return file->set(memcg, bytes);
}
