/* SPDX-License-Identifier: MIT */
/*
 * Effective protection: what of memory.min and memory.low counts, as children share
 * what their parent has. The rules are those of the kernel's effective_protection(),
 * with what no child asks for shared, too (memory_recursiveprot).
 *
 * Everything read here changes meanwhile; the next walk reads it again.
 */
#include "accounting/mem_cgroup.h"

/* @a * @b / @c; the product may need more than 64 bits. */
static int64_t share_of(int64_t a, int64_t b, int64_t c)
{
	return (int64_t)((unsigned __int128)a * (unsigned __int128)b / (unsigned __int128)c);
}

/*
 * @setting: of a group that uses @usage; @siblings: what all children of its parent
 * ask for, each at most what it uses.
 */
static int64_t effective(int64_t usage, int64_t parent_usage, int64_t setting,
			 int64_t parent_effective, int64_t siblings)
{
	int64_t own = min_t(int64_t, usage, setting);

	/* More than there is: each gets its part. */
	if (siblings > parent_effective)
		return share_of(own, parent_effective, siblings);
	/* Less: the rest protects what they use beyond that. */
	if (parent_effective > siblings && parent_usage > siblings && usage > own)
		own += share_of(parent_effective - siblings, usage - own, parent_usage - siblings);
	return own;
}

/*
 * Whether what @parent's children ask for is theirs in full. The process's group was
 * asked for by nobody: while it has no protection of its own, it takes none from those
 * below it.
 */
static bool is_top(const struct mem_cgroup *parent, const struct mem_cgroup *root)
{
	const struct counters_record *record = parent->memory.record;

	if (parent == root)
		return true;
	return parent == process_memcg && root == &root_memcg && !READ_ONCE(record->min) &&
	       !READ_ONCE(record->low);
}

void mem_cgroup_calculate_protection(struct mem_cgroup *root, struct mem_cgroup *memcg)
{
	struct page_protection *own = &memcg->protection;
	const struct counters_record *record = memcg->memory.record;
	const struct mem_cgroup *parent = memcg->parent;
	int64_t usage = READ_ONCE(record->memory.usage);
	int64_t parent_usage;

	if (!root)
		root = &root_memcg;
	if (memcg == root) /* which is what shall be reclaimed */
		return;
	if (is_top(parent, root)) {
		WRITE_ONCE(own->emin, READ_ONCE(record->min));
		WRITE_ONCE(own->elow, READ_ONCE(record->low));
		return;
	}
	parent_usage = READ_ONCE(parent->memory.level->usage);
	WRITE_ONCE(own->emin, effective(usage, parent_usage, READ_ONCE(record->min),
					READ_ONCE(parent->protection.emin),
					READ_ONCE(parent->protection.children_min_usage)));
	WRITE_ONCE(own->elow, effective(usage, parent_usage, READ_ONCE(record->low),
					READ_ONCE(parent->protection.elow),
					READ_ONCE(parent->protection.children_low_usage)));
}

int64_t mem_cgroup_effective_min(const struct mem_cgroup *memcg)
{
	return READ_ONCE(memcg->protection.emin);
}

int64_t mem_cgroup_effective_low(const struct mem_cgroup *memcg)
{
	return READ_ONCE(memcg->protection.elow);
}

bool mem_cgroup_below_min(const struct mem_cgroup *root, const struct mem_cgroup *memcg)
{
	return memcg != root &&
	       mem_cgroup_effective_min(memcg) >= READ_ONCE(memcg->memory.level->usage);
}

bool mem_cgroup_below_low(const struct mem_cgroup *root, const struct mem_cgroup *memcg)
{
	return memcg != root &&
	       mem_cgroup_effective_low(memcg) >= READ_ONCE(memcg->memory.level->usage);
}
