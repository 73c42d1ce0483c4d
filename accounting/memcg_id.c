/* SPDX-License-Identifier: MIT */
/*
 * Ids. A group's id is unique for ever:
 *
 *	63                    22 21                 0
 *	+-----------------------+--------------------+
 *	| groups made before it |      small id      |
 *	+-----------------------+--------------------+
 *
 * The small id is the number of its record, and 1, and leads to the group
 * through a table. It is used again, by a group with another id, a grace period
 * after the last reference is gone: so who finds a group by its small id under
 * RCU, and its id is the one looked for, has the right one.
 */
#include <errno.h>

#include "accounting/mem_cgroup.h"
#include "alloc/base/meta.h"

#define CHUNK_BITS 9
#define CHUNKS	   (1ul << (COUNTERS_INDEX_BITS - CHUNK_BITS))

struct chunk {
	struct mem_cgroup *groups[1 << CHUNK_BITS]; /* RCU; written under cgroup_lock */
};

static struct chunk *chunks[CHUNKS]; /* likewise; once set, const */
static uint64_t nr_created;	     /* cgroup_lock */

int memcg_add_id(struct mem_cgroup *memcg)
{
	uint64_t small_id = (uint64_t)counters_index(memcg->memory.record) + 1;
	struct chunk *chunk = chunks[small_id >> CHUNK_BITS];

	if (!chunk) {
		chunk = meta_alloc(sizeof(*chunk));
		if (!chunk)
			return -ENOMEM;
		/* Pairs with memcg_by_small_id(). */
		store_release(&chunks[small_id >> CHUNK_BITS], chunk);
	}
	memcg->id = nr_created++ << COUNTERS_INDEX_BITS | small_id;
	memcg->memory.record->id = memcg->id;
	/* Pairs with memcg_by_small_id(). */
	store_release(&chunk->groups[small_id % (1 << CHUNK_BITS)], memcg);
	return 0;
}

void memcg_remove_id(struct mem_cgroup *memcg)
{
	uint32_t small_id = memcg_small_id(memcg);

	WRITE_ONCE(chunks[small_id >> CHUNK_BITS]->groups[small_id % (1 << CHUNK_BITS)], NULL);
}

struct mem_cgroup *memcg_by_small_id(uint32_t small_id)
{
	struct chunk *chunk = load_acquire(&chunks[small_id >> CHUNK_BITS]);

	return chunk ? load_acquire(&chunk->groups[small_id % (1 << CHUNK_BITS)]) : NULL;
}

uint64_t mem_cgroup_id(const struct mem_cgroup *memcg)
{
	return memcg->id;
}

struct mem_cgroup *mem_cgroup_from_id(uint64_t id)
{
	struct mem_cgroup *memcg;

	rcu_read_lock();
	memcg = memcg_by_small_id((uint32_t)(id & MEMCG_SMALL_ID_MASK));
	if (memcg && (memcg->id != id || !mem_cgroup_tryget(memcg)))
		memcg = NULL;
	rcu_read_unlock();
	return memcg;
}
