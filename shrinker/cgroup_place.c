/* SPDX-License-Identifier: MIT */
#include "shrinker/cgroup_place.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "shrinker/line_reader.h"

/* Whether @word is one of those in @list, which have commas between them and end at @end. */
static bool has_word(const char *list, const char *end, const char *word)
{
	size_t len = strlen(word);

	for (; list < end; list++) {
		const char *comma = memchr(list, ',', (size_t)(end - list));
		const char *next = comma ? comma : end;

		if ((size_t)(next - list) == len && !memcmp(list, word, len))
			return true;
		list = next;
	}
	return false;
}

/* "4:memory:/a/b", "0::/a/b" of version 2: whether it is the one, and then the path. */
static const char *cgroup_of_line(const char *line, const char *end, enum cgroup_kind kind)
{
	const char *list = memchr(line, ':', (size_t)(end - line));
	const char *path = list ? memchr(list + 1, ':', (size_t)(end - list - 1)) : NULL;

	if (!path)
		return NULL;
	list++;
	if (kind == CGROUP_V2 ? path != list : !has_word(list, path, "memory"))
		return NULL;
	return path + 1;
}

/* The cgroup's name from the root of its hierarchy, of *@len bytes: "/a/b"; NULL: none. */
static const char *cgroup_name(const char *cgroups, enum cgroup_kind kind, size_t *len)
{
	const char *line = cgroups, *end;

	for (; (end = strchr(line, '\n')); line = end + 1) {
		const char *path = cgroup_of_line(line, end, kind);

		if (path) {
			*len = (size_t)(end - path);
			return path;
		}
	}
	return NULL;
}

/* "\040" and the like, in place. */
static void decode(char *text)
{
	char *out = text;

	for (; *text; out++) {
		if (text[0] == '\\' && text[1] && text[2] && text[3]) {
			*out = (char)((text[1] - '0') * 64 + (text[2] - '0') * 8 + (text[3] - '0'));
			text += 4;
		} else {
			*out = *text++;
		}
	}
	*out = '\0';
}

struct mount {
	char *root;  /* which part of the hierarchy is mounted */
	char *point; /* where */
	char *type;
	char *options;
};

static char *next_field(char **rest)
{
	return strsep(rest, " ");
}

/* "31 23 0:28 ROOT POINT OPTIONS [FIELD...] - TYPE SOURCE OPTIONS" */
static bool parse_mount(char *line, struct mount *mount)
{
	char *rest = line, *field;

	for (int i = 0; i < 3; i++)
		next_field(&rest);
	mount->root = next_field(&rest);
	mount->point = next_field(&rest);
	do {
		field = next_field(&rest);
	} while (field && strcmp(field, "-") != 0);
	mount->type = next_field(&rest);
	next_field(&rest);
	mount->options = next_field(&rest);
	if (!mount->options)
		return false;
	decode(mount->root);
	decode(mount->point);
	return true;
}

static bool is_of_kind(const struct mount *mount, enum cgroup_kind kind)
{
	const char *options = mount->options;

	if (kind == CGROUP_V2)
		return !strcmp(mount->type, "cgroup2");
	return !strcmp(mount->type, "cgroup") &&
	       has_word(options, options + strlen(options), "memory");
}

/*
 * What of @name lies below the root of the mount; NULL if it lies elsewhere, as seen
 * from a container that got its cgroup mounted, but no cgroup namespace.
 */
static const char *below_mount(const char *name, size_t *len, const char *root)
{
	size_t root_len = strlen(root);

	if (root_len == 1) /* "/" */
		root_len = 0;
	if (*len < root_len || memcmp(name, root, root_len) != 0)
		return NULL;
	name += root_len;
	*len -= root_len;
	if (*len && *name != '/')
		return NULL;
	if (*len == 1 || (*len >= 3 && !memcmp(name, "/..", 3)))
		*len = 0; /* the top; or outside of the namespace */
	return name;
}

/* Returns false, and changes nothing, if that is too long. */
static bool set_place(struct cgroup_place *place, const char *root, const char *point,
		      const char *below, size_t below_len)
{
	size_t root_len = strlen(root), point_len = strlen(point);
	char *path = place->path;

	if (root_len + point_len + below_len >= sizeof(place->path))
		return false;
	memcpy(path, root, root_len);
	memcpy(path + root_len, point, point_len);
	place->top = root_len + point_len;
	memcpy(path + place->top, below, below_len);
	path[place->top + below_len] = '\0';
	return true;
}

/* The mount that shows most of it; one that shows it not at all is better than none. */
static void consider(struct cgroup_place *place, const struct mount *mount, const char *root,
		     const char *name, size_t name_len, size_t *best)
{
	size_t len = name_len;
	const char *below = below_mount(name, &len, mount->root);
	size_t shows = below ? len + 2 : 1;

	if (shows > *best &&
	    set_place(place, root, mount->point, below ? below : "", below ? len : 0))
		*best = shows;
}

int cgroup_place_find(struct cgroup_place *place, enum cgroup_kind kind, const char *root,
		      const char *cgroups)
{
	struct line_reader reader;
	size_t name_len, best = 0;
	const char *name = cgroup_name(cgroups, kind, &name_len);
	char path[PATH_MAX], *line;
	int ret;

	place->path[0] = '\0';
	if (!name ||
	    snprintf(path, sizeof(path), "%s/proc/self/mountinfo", root) >= (int)sizeof(path))
		return -ENOENT;
	ret = line_reader_open(&reader, path);
	if (ret)
		return ret;
	while ((line = line_reader_next(&reader))) {
		struct mount mount;

		if (parse_mount(line, &mount) && is_of_kind(&mount, kind))
			consider(place, &mount, root, name, name_len, &best);
	}
	line_reader_close(&reader);
	return best ? 0 : -ENOENT;
}

size_t cgroup_place_parent(const struct cgroup_place *place, size_t len)
{
	if (len <= place->top)
		return 0;
	while (len > place->top && place->path[len - 1] != '/')
		len--;
	return len > place->top ? len - 1 : place->top;
}
