/* SPDX-License-Identifier: MIT */
/*
 * What was in the way of the last charge that the thread was refused. The charge leaves
 * a few numbers with the thread (memalloc_note_refusal()); the rest is looked up when
 * somebody asks. Nothing is allocated.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "accounting/memalloc.h"
#include "alloc/base/os.h"

#define LARGEST 3

void memalloc_note_refusal(const struct mem_cgroup *memcg, uint64_t bytes)
{
	const struct counters_record *record = memcg->memory.record;

	memalloc.refusal.id = memcg->id;
	memalloc.refusal.usage = (uint64_t)READ_ONCE(record->memory.usage) << PAGE_SHIFT;
	memalloc.refusal.limit = (uint64_t)READ_ONCE(record->memory.max) << PAGE_SHIFT;
	memalloc.refusal.bytes = bytes;
}

int mem_cgroup_last_refusal(struct mem_cgroup_refusal *refusal)
{
	struct mem_cgroup *memcg;

	if (refusal->size != sizeof(*refusal))
		return -EINVAL;
	if (!memalloc.refusal.id)
		return -ENOENT;
	*refusal = (struct mem_cgroup_refusal){
		.size = sizeof(*refusal),
		.id = memalloc.refusal.id,
		.usage = memalloc.refusal.usage,
		.limit = memalloc.refusal.limit,
		.bytes = memalloc.refusal.bytes,
	};
	memcg = mem_cgroup_from_id(refusal->id);
	if (memcg)
		mem_cgroup_path(memcg, refusal->path, sizeof(refusal->path));
	mem_cgroup_put(memcg);
	return 0;
}

/* ---- In words ----------------------------------------------------------------- */

struct child {
	uint64_t usage;
	char name[MEMCG_NAME_MAX + 1];
};

/* Puts it into its place, if it is one of the largest. */
static void consider(struct child *largest, const struct mem_cgroup *memcg)
{
	uint64_t usage = mem_cgroup_usage(memcg);
	int i = LARGEST;

	while (i && usage > largest[i - 1].usage)
		i--;
	if (i == LARGEST)
		return;
	memmove(&largest[i + 1], &largest[i], (size_t)(LARGEST - 1 - i) * sizeof(*largest));
	largest[i].usage = usage;
	snprintf(largest[i].name, sizeof(largest[i].name), "%s", mem_cgroup_name(memcg));
}

static void find_largest(struct mem_cgroup *memcg, struct child *largest)
{
	struct mem_cgroup *pos;

	rcu_read_lock();
	for_each_memcg (pos, memcg)
		if (pos->parent == memcg)
			consider(largest, pos);
	rcu_read_unlock();
}

/* Appends, as far as there is room; returns the length with all of it. */
__attribute__((format(printf, 4, 5))) static size_t put(char *buf, size_t len, size_t used,
							const char *fmt, ...)
{
	size_t room = used < len ? len - used : 0;
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(room ? buf + used : NULL, room, fmt, args);
	va_end(args);
	return used + (n > 0 ? (size_t)n : 0);
}

static size_t put_largest(struct mem_cgroup *memcg, char *buf, size_t len, size_t used)
{
	struct child largest[LARGEST] = {{0}};

	find_largest(memcg, largest);
	for (int i = 0; i < LARGEST && largest[i].usage; i++)
		used = put(buf, len, used, "%s %s uses %" PRIu64, i ? "," : "; below it,",
			   largest[i].name, largest[i].usage);
	return used;
}

long mem_cgroup_explain_refusal(char *buf, size_t len)
{
	struct mem_cgroup_refusal refusal = {.size = sizeof(refusal)};
	int err = mem_cgroup_last_refusal(&refusal);
	struct mem_cgroup *memcg;
	size_t used;

	if (err)
		return err;
	used = put(buf, len, 0,
		   "%" PRIu64 " bytes were refused: group %s used %" PRIu64 " of %" PRIu64 " bytes",
		   refusal.bytes, refusal.path[0] ? refusal.path : "(removed)", refusal.usage,
		   refusal.limit);
	memcg = mem_cgroup_from_id(refusal.id);
	if (memcg)
		used = put_largest(memcg, buf, len, used);
	mem_cgroup_put(memcg);
	return (long)used;
}
