/* SPDX-License-Identifier: MIT */
/*
 * The names of groups, and finding a child by its name: in one table for all, by
 * hash of parent and name, so that it takes as long among 100,000 siblings as
 * among ten.
 */
#include <errno.h>
#include <string.h>

#include "accounting/mem_cgroup.h"
#include "alloc/base/meta.h"

#define FIRST_BITS 5

/* As many names as buckets at most. cgroup_lock, all. */
static struct hlist_head first_buckets[1 << FIRST_BITS];
static struct hlist_head *buckets = first_buckets;
static unsigned int bits = FIRST_BITS;
static size_t nr_names;

bool memcg_name_is_valid(const char *name)
{
	size_t len = strnlen(name, MEMCG_NAME_MAX + 1);

	if (len == 0 || len > MEMCG_NAME_MAX || !strcmp(name, ".") || !strcmp(name, ".."))
		return false;
	for (size_t i = 0; i < len; i++)
		if (name[i] == '/' || (unsigned char)name[i] < ' ' || name[i] == 127)
			return false;
	return true;
}

/* FNV-1a over the name, from a start that depends on the parent. */
static uint32_t hash_of(const struct mem_cgroup *parent, const char *name)
{
	uint64_t hash = 0xcbf29ce484222325ull ^ (parent ? parent->id : 0) * 0x9e3779b97f4a7c15ull;

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 0x100000001b3ull;
	return (uint32_t)(hash * 0x9e3779b97f4a7c15ull >> 32);
}

static struct hlist_head *bucket_of(uint32_t hash)
{
	return &buckets[hash >> (32 - bits)];
}

/* Without memory the chains get longer. */
static void grow(void)
{
	struct hlist_head *old = buckets;
	size_t nr = 1ul << bits;
	struct hlist_head *new = meta_alloc(2 * nr * sizeof(*new));

	if (!new)
		return;
	buckets = new;
	bits++;
	for (size_t i = 0; i < nr; i++) {
		struct hlist_node *node, *next;

		for (node = old[i].first; node; node = next) {
			struct mem_cgroup *memcg = container_of(node, struct mem_cgroup, name_node);

			next = node->next;
			hlist_add_head(node, bucket_of(memcg->name_hash));
		}
	}
	if (old != first_buckets)
		meta_free(old, nr * sizeof(*old));
}

struct mem_cgroup *memcg_find_child(const struct mem_cgroup *parent, const char *name)
{
	uint32_t hash = hash_of(parent, name);
	struct hlist_node *node;

	for (node = bucket_of(hash)->first; node; node = node->next) {
		struct mem_cgroup *memcg = container_of(node, struct mem_cgroup, name_node);

		if (memcg->name_hash == hash && memcg->parent == parent &&
		    !strcmp(mem_cgroup_name(memcg), name))
			return memcg;
	}
	return NULL;
}

void memcg_add_name(struct mem_cgroup *memcg)
{
	if (nr_names++ == 1ul << bits && bits < 32)
		grow();
	memcg->name_hash = hash_of(memcg->parent, mem_cgroup_name(memcg));
	hlist_add_head(&memcg->name_node, bucket_of(memcg->name_hash));
}

void memcg_remove_name(struct mem_cgroup *memcg)
{
	hlist_del_init(&memcg->name_node);
	nr_names--;
}

struct mem_cgroup *mem_cgroup_lookup(struct mem_cgroup *parent, const char *name)
{
	struct mem_cgroup *child;

	lock(&cgroup_lock);
	child = memcg_find_child(parent ? parent : process_memcg, name);
	if (child)
		mem_cgroup_get(child);
	unlock(&cgroup_lock);
	return child;
}

const char *mem_cgroup_name(const struct mem_cgroup *memcg)
{
	return memcg->memory.record->name;
}

size_t mem_cgroup_path(const struct mem_cgroup *memcg, char *buf, size_t len)
{
	const struct mem_cgroup *up;
	size_t need = 0, at;

	for (up = memcg; up->parent; up = up->parent)
		need += strlen(mem_cgroup_name(up)) + 1;
	if (!need)
		need = 1;
	if (!len)
		return need;
	buf[0] = '/';
	at = need;
	for (up = memcg; up->parent; up = up->parent) {
		size_t n = strlen(mem_cgroup_name(up));

		at -= n + 1;
		for (size_t i = 0; i <= n; i++)
			if (at + i < len - 1)
				buf[at + i] = i ? mem_cgroup_name(up)[i - 1] : '/';
	}
	buf[min_t(size_t, need, len - 1)] = '\0';
	return need;
}

void memcg_rename(struct mem_cgroup *memcg, const char *name)
{
	struct counters_record *record = memcg->memory.record;

	lock(&cgroup_lock);
	memcg_remove_name(memcg);
	memset(record->name, 0, sizeof(record->name));
	strncpy(record->name, name, MEMCG_NAME_MAX);
	memcg_add_name(memcg);
	unlock(&cgroup_lock);
}
