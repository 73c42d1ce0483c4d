/* SPDX-License-Identifier: MIT */
#include "shrinker/headroom.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "accounting/size.h"

/* memory.stat has about 70 lines; /proc/meminfo 60. */
#define TEXT_MAX	8192

#define LEAST_WATERMARK ((1l << 20) >> PAGE_SHIFT)
#define MOST_WATERMARK	((256l << 20) >> PAGE_SHIFT)

struct headroom_names {
	const char *limits[2];
	const char *usage;
	const char *inactive_file; /* in memory.stat, over the subtree */
	const char *active_file;
	const char *slab; /* that can be reclaimed; NULL: it does not say */
};

static const struct headroom_names v1_names = {
	.limits = {"memory.limit_in_bytes", NULL},
	.usage = "memory.usage_in_bytes",
	.inactive_file = "total_inactive_file",
	.active_file = "total_active_file",
};

static const struct headroom_names v2_names = {
	.limits = {"memory.max", "memory.high"},
	.usage = "memory.current",
	.inactive_file = "inactive_file",
	.active_file = "active_file",
	.slab = "slab_reclaimable",
};

/* 1/32, 2/32 and 3/32, within bounds. */
struct watermarks watermarks_of(int64_t limit)
{
	int64_t min = limit / 32;

	min = max_t(int64_t, LEAST_WATERMARK, min_t(int64_t, min, MOST_WATERMARK));
	return (struct watermarks){.min = min, .low = 2 * min, .high = 3 * min};
}

/* The number behind @name at the beginning of a line; 0 if there is none. */
static int64_t number_of(const char *text, const char *name)
{
	size_t len = strlen(name);

	for (; text; text = strchr(text, '\n'), text += !!text) {
		int64_t number = 0;

		if (strncmp(text, name, len) != 0 || (text[len] != ' ' && text[len] != ':'))
			continue;
		for (text += len + 1; *text == ' '; text++)
			;
		for (; *text >= '0' && *text <= '9'; text++)
			number = number * 10 + (*text - '0');
		return number;
	}
	return 0;
}

/* Of what could be given up for others, the part that this does little harm to. */
static int64_t sparable(int64_t pages, const struct watermarks *marks)
{
	return pages - min_t(int64_t, pages / 2, marks->low);
}

/* Adds a level with so much left of its limit. */
static void add_level(struct headroom_sample *sample, bool *is_short, int64_t available,
		      const struct watermarks *marks)
{
	*is_short = available < (*is_short ? marks->high : marks->low);
	sample->room = min_t(int64_t, sample->room, available - marks->low);
	if (*is_short)
		sample->wanted = max_t(int64_t, sample->wanted, marks->high - available);
}

static void open_in(const struct headroom *headroom, const struct headroom_level *level,
		    const char *name, struct kept_file *file)
{
	char path[PATH_MAX + 64];

	snprintf(path, sizeof(path), "%.*s/%s", (int)level->path_len, headroom->place.path, name);
	kept_file_open(file, path, O_RDONLY);
}

/* Bytes of a file with one number; UINT64_MAX: "max", or what cannot be understood. */
static int read_bytes(const struct kept_file *file, uint64_t *bytes)
{
	char text[64];
	ssize_t len = kept_file_read(file, text, sizeof(text));

	if (len < 0)
		return (int)len;
	if (parse_size(text, bytes))
		*bytes = UINT64_MAX;
	return 0;
}

/* The lower of the level's limits, in pages; INT64_MAX: none. */
static int64_t read_limit(struct headroom_level *level, bool *lost)
{
	int64_t limit = INT64_MAX;

	for (size_t i = 0; i < ARRAY_SIZE(level->limits); i++) {
		uint64_t bytes;

		if (level->limits[i].fd < 0)
			continue;
		if (read_bytes(&level->limits[i], &bytes))
			*lost = true;
		else if (bytes < INT64_MAX / 2) /* version 1 writes a large number for none */
			limit = min_t(int64_t, limit, bytes >> PAGE_SHIFT);
	}
	return limit;
}

static void look_at_level(struct headroom *headroom, struct headroom_level *level,
			  struct headroom_sample *sample)
{
	const struct headroom_names *names = headroom->names;
	int64_t limit = read_limit(level, &sample->lost), cache, available;
	struct watermarks marks = watermarks_of(limit);
	char stat[TEXT_MAX];
	uint64_t usage;

	if (limit == INT64_MAX)
		return;
	if (level->usage.fd < 0)
		open_in(headroom, level, names->usage, &level->usage);
	if (level->stat.fd < 0)
		open_in(headroom, level, "memory.stat", &level->stat);
	if (read_bytes(&level->usage, &usage) || usage == UINT64_MAX) {
		sample->lost = true;
		return;
	}
	if (kept_file_read(&level->stat, stat, sizeof(stat)) < 0)
		sample->lost = true;
	cache = (number_of(stat, names->inactive_file) + number_of(stat, names->active_file)) >>
		PAGE_SHIFT;
	available = limit - (int64_t)(usage >> PAGE_SHIFT) + sparable(cache, &marks);
	if (names->slab)
		available += sparable(number_of(stat, names->slab) >> PAGE_SHIFT, &marks);
	add_level(sample, &level->is_short, available, &marks);
}

static void look_at_machine(struct headroom *headroom, struct headroom_sample *sample)
{
	const int64_t kib_per_page = PAGE_SIZE >> 10;
	struct watermarks marks;
	char text[TEXT_MAX];
	int64_t total;

	if (headroom->meminfo.fd < 0)
		return;
	if (kept_file_read(&headroom->meminfo, text, sizeof(text)) < 0)
		sample->lost = true;
	total = number_of(text, "MemTotal") / kib_per_page;
	if (!total)
		return;
	marks = watermarks_of(total);
	add_level(sample, &headroom->machine_is_short,
		  number_of(text, "MemAvailable") / kib_per_page, &marks);
}

struct headroom_sample headroom_look(struct headroom *headroom)
{
	struct headroom_sample sample = {.room = HEADROOM_MAX};

	for (unsigned int i = 0; i < headroom->nr_levels; i++)
		look_at_level(headroom, &headroom->levels[i], &sample);
	look_at_machine(headroom, &sample);
	return sample;
}

static void open_level(struct headroom *headroom, size_t path_len)
{
	struct headroom_level *level = &headroom->levels[headroom->nr_levels++];

	*level = (struct headroom_level){
		.limits = {KEPT_FILE_NONE, KEPT_FILE_NONE},
		.usage = KEPT_FILE_NONE,
		.stat = KEPT_FILE_NONE,
		.path_len = path_len,
	};
	for (size_t i = 0; i < ARRAY_SIZE(level->limits); i++)
		if (headroom->names->limits[i])
			open_in(headroom, level, headroom->names->limits[i], &level->limits[i]);
}

static void open_machine(struct headroom *headroom, const char *root)
{
	char path[PATH_MAX];

	headroom->meminfo.fd = -1;
	if (snprintf(path, sizeof(path), "%s/proc/meminfo", root) < (int)sizeof(path))
		kept_file_open(&headroom->meminfo, path, O_RDONLY);
}

void headroom_open(struct headroom *headroom, const char *root, const char *cgroups)
{
	struct cgroup_place *place = &headroom->place;
	size_t len = 0;

	headroom->nr_levels = 0;
	headroom->machine_is_short = false;
	/* Where both versions are in use, one of them has the controller. */
	headroom->names = &v1_names;
	if (cgroup_place_find(place, CGROUP_V1_MEMORY, root, cgroups)) {
		headroom->names = &v2_names;
		cgroup_place_find(place, CGROUP_V2, root, cgroups);
	}
	for (len = strlen(place->path); len && headroom->nr_levels < HEADROOM_LEVELS;
	     len = cgroup_place_parent(place, len))
		open_level(headroom, len);
	open_machine(headroom, root);
}

void headroom_close(struct headroom *headroom)
{
	for (unsigned int i = 0; i < headroom->nr_levels; i++) {
		struct headroom_level *level = &headroom->levels[i];

		kept_file_close(&level->limits[0]);
		kept_file_close(&level->limits[1]);
		kept_file_close(&level->usage);
		kept_file_close(&level->stat);
	}
	headroom->nr_levels = 0;
	kept_file_close(&headroom->meminfo);
}
