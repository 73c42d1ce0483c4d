/* SPDX-License-Identifier: MIT */
#include "tools/cgslab/group_tree.h"

#include <errno.h>
#include <error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/cgslab/command.h"

/* The name goes to a terminal, and the process may have written anything. */
static void read_name(struct group *group, const char *name)
{
	memcpy(group->name, name, MEMCG_NAME_MAX);
	for (unsigned char *c = (unsigned char *)group->name; *c; c++)
		if (*c < ' ' || *c == 127)
			*c = '?';
}

static uint64_t limit_bytes(int64_t pages, uint64_t page_size)
{
	return pages >= COUNTERS_NO_LIMIT ? MEMCG_MAX : not_negative(pages) * page_size;
}

static void read_record(struct group *group, const struct counters_record *record,
			uint64_t page_size)
{
	group->id = READ_ONCE(record->id);
	read_name(group, record->name);
	group->current = not_negative(READ_ONCE(record->memory.usage)) * page_size;
	group->peak = not_negative(READ_ONCE(record->memory.peak)) * page_size;
	group->min = limit_bytes(READ_ONCE(record->min), page_size);
	group->low = limit_bytes(READ_ONCE(record->low), page_size);
	group->high = limit_bytes(READ_ONCE(record->memory.high), page_size);
	group->max = limit_bytes(READ_ONCE(record->memory.max), page_size);
	group->failcnt = not_negative(READ_ONCE(record->memory.failcnt));
	for (size_t i = 0; i < ARRAY_SIZE(group->events); i++)
		group->events[i] = READ_ONCE(record->events[i]);
	for (size_t i = 0; i < ARRAY_SIZE(group->events_local); i++)
		group->events_local[i] = READ_ONCE(record->events_local[i]);
	group->swap = not_negative(READ_ONCE(record->swap.usage)) * page_size;
	group->swap_peak = not_negative(READ_ONCE(record->swap.peak)) * page_size;
	group->swap_high = limit_bytes(READ_ONCE(record->swap.high), page_size);
	group->swap_max = limit_bytes(READ_ONCE(record->swap.max), page_size);
	group->zswap = not_negative(READ_ONCE(record->zswap));
	group->zswapped = not_negative(READ_ONCE(record->zswapped));
	group->zswap_max = limit_bytes(READ_ONCE(record->zswap_max), page_size);
	group->stall_some = READ_ONCE(record->stall_some);
	group->stall_full = READ_ONCE(record->stall_full);
	group->object_bytes = READ_ONCE(record->object_bytes);
	group->span_bytes = READ_ONCE(record->span_bytes);
	group->slab_bytes = READ_ONCE(record->slab_bytes);
	group->objects = READ_ONCE(record->objects);
}

static int by_id_descending(const void *a, const void *b)
{
	const struct group *const *x = a, *const *y = b;

	return ((*x)->id < (*y)->id) - ((*x)->id > (*y)->id);
}

/* Everything local to @group is its parent's too. */
static void add_to_parent(struct group *group)
{
	struct group *parent = group->parent;

	parent->object_bytes += group->object_bytes;
	parent->span_bytes += group->span_bytes;
	parent->slab_bytes += group->slab_bytes;
	parent->objects += group->objects;
	group->next_sibling = parent->first_child;
	parent->first_child = group;
}

/*
 * Records change while they are read, so a parent is believed only if it is
 * online and older than its child. That rules out circles.
 */
static struct group *parent_of(struct group *groups, uint32_t nr, const struct group *group,
			       uint32_t parent)
{
	if (parent >= nr || !groups[parent].id || groups[parent].id >= group->id)
		return NULL;
	return &groups[parent];
}

struct group *group_tree_read(const struct process_counters *counters)
{
	uint32_t nr = counters->nr_records, online = 0;
	struct group *groups = calloc(nr ? nr : 1, sizeof(*groups));
	struct group **order = calloc(nr ? nr : 1, sizeof(struct group *));

	if (!groups || !order)
		error(EXIT_FAILED, errno, "the groups of process %d", counters->pid);
	for (uint32_t i = 0; i < nr; i++) {
		const struct counters_record *record = &counters->records[i];

		/* Pairs with the release in memcg_link(). */
		if (load_acquire(&record->state) != COUNTERS_ONLINE)
			continue;
		read_record(&groups[i], record, counters->header->page_size);
		order[online++] = &groups[i];
	}
	if (!groups[0].id)
		error(EXIT_FAILED, 0, "process %d has no groups yet", counters->pid);
	/* Children before their parents, and each parent's youngest first. */
	qsort(order, online, sizeof(struct group *), by_id_descending);
	for (uint32_t i = 0; i < online; i++) {
		uint32_t index = (uint32_t)(order[i] - groups);
		uint32_t parent = READ_ONCE(counters->records[index].parent);

		order[i]->parent = parent_of(groups, nr, order[i], parent);
		if (order[i]->parent)
			add_to_parent(order[i]);
	}
	free(order);
	return groups;
}

/* ---- Walking ------------------------------------------------------------ */

struct group *group_find(struct group *root, const char *path)
{
	struct group *group = root;

	for (path += strspn(path, "/"); group && *path; path += strspn(path, "/")) {
		size_t len = strcspn(path, "/");
		struct group *child = group->first_child;

		while (child && (strncmp(child->name, path, len) || child->name[len]))
			child = child->next_sibling;
		group = child;
		path += len;
	}
	return group;
}

struct group *group_of_user(struct group *root, const char *path, int pid)
{
	struct group *group;

	if (path)
		group = group_find(root, path);
	else
		group = root->first_child ? root->first_child : root;
	if (!group)
		error(EXIT_FAILED, 0, "process %d has no group '%s'", pid, path);
	return group;
}

struct counters_record *group_record(const struct process_counters *counters,
				     const struct group *root, const struct group *group)
{
	struct counters_record *record =
		&counters->records[group - root]; /* see group_tree_read() */

	/* Pairs with the release in memcg_link(). */
	if (load_acquire(&record->state) != COUNTERS_ONLINE || READ_ONCE(record->id) != group->id)
		error(EXIT_FAILED, 0, "the group '%s' of process %d was removed", group_name(group),
		      counters->pid);
	return record;
}

struct group *group_next(const struct group *group)
{
	if (group->first_child)
		return group->first_child;
	while (group && !group->next_sibling)
		group = group->parent;
	return group ? group->next_sibling : NULL;
}

unsigned int group_depth(const struct group *group)
{
	unsigned int depth = 0;

	for (; group->parent; group = group->parent)
		depth++;
	return depth;
}

const char *group_name(const struct group *group)
{
	return group->parent ? group->name : "/";
}

void group_print_path(const struct group *group)
{
	if (!group->parent) {
		fputs("/", stdout);
		return;
	}
	if (group->parent->parent)
		group_print_path(group->parent);
	printf("/%s", group->name);
}

/* ---- What follows from the numbers -------------------------------------- */

uint64_t group_live(const struct group *group)
{
	return not_negative(group->object_bytes) + not_negative(group->span_bytes);
}

uint64_t group_stock(const struct group *group)
{
	return not_negative((int64_t)(group->current - group_live(group)));
}

uint64_t group_waste(const struct group *group)
{
	return not_negative(group->slab_bytes - (int64_t)not_negative(group->object_bytes));
}
