/* SPDX-License-Identifier: MIT */
#include "tests/accounting/pantry.h"

#include <stdlib.h>

#include <cgslab/slab.h>

#include "accounting/reclaim_ops.h"
#include "alloc/slab/task.h"

#define MOST 1024

int pantry_blocks, pantry_calls;
gfp_t pantry_gfp;
struct mem_cgroup *pantry_memcg;
int64_t (*pantry_instead)(struct mem_cgroup *memcg, int64_t pages);

static void *blocks[MOST];

bool pantry_take(void)
{
	if (!pantry_blocks)
		return false;
	kfree(blocks[--pantry_blocks]);
	return true;
}

static int64_t take_pages(struct mem_cgroup *memcg, int64_t pages)
{
	int64_t freed = 0;

	(void)memcg;
	while (freed < pages && pantry_take())
		freed += PANTRY_PAGES;
	return freed;
}

static int64_t try_to_free(struct mem_cgroup *memcg, int64_t pages, gfp_t gfp)
{
	struct task_scope scope;
	int64_t freed;

	pantry_calls++;
	pantry_gfp = gfp;
	pantry_memcg = memcg;
	if (!task_begin_callbacks(&scope))
		return 0;
	freed = pantry_instead ? pantry_instead(memcg, pages) : take_pages(memcg, pages);
	task_end_callbacks(&scope);
	return freed;
}

void pantry_open(void)
{
	reclaim_ops.try_to_free = try_to_free;
}

void pantry_close(void)
{
	reclaim_ops.try_to_free = NULL;
}

void pantry_fill(struct mem_cgroup *memcg, int nr)
{
	struct mem_cgroup *old = set_active_memcg(memcg);

	while (nr--) {
		void *block = kmalloc(PANTRY_BLOCK, GFP_KERNEL);

		if (!block || pantry_blocks == MOST)
			abort();
		blocks[pantry_blocks++] = block;
	}
	set_active_memcg(old);
}
