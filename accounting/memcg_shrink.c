/* SPDX-License-Identifier: MIT */
/*
 * Shrinkers against mem_cgroup_kill(). A callback has objects in its hands that kill
 * takes away with all others, and its caller cannot know: it runs in any thread that
 * is short of memory. So one waits for the other:
 *
 *   memcg_shrink_begin()                memcg_bar_shrinks()
 *   ------------------------------      ------------------------------
 *   shrinking + 1                       barred + 1
 *   barred, of the group and of         shrinking, of all groups of the
 *   those above: is it 0?               subtree: is it 0?
 *
 * All seq_cst: of two that meet, one sees the other at least. Removed groups are looked
 * at too, for their objects are their ancestor's. The callback gives way at once;
 * kill waits for a second, and then gives up: a callback may want a lock that is
 * held by who kills.
 */
#include <errno.h>

#include "accounting/mem_cgroup.h"
#include "accounting/reclaim_ops.h"
#include "alloc/base/os.h"

#define WAITS	1000
#define WAIT_US 1000

/* What the calling thread is at. */
static __thread struct mem_cgroup *shrunk __attribute__((tls_model("initial-exec")));

static bool is_barred(const struct mem_cgroup *memcg)
{
	for (; memcg; memcg = memcg->parent)
		if (__atomic_load_n(&memcg->barred, __ATOMIC_SEQ_CST))
			return true;
	return false;
}

bool memcg_shrink_begin(struct mem_cgroup *memcg)
{
	__atomic_add_fetch(&memcg->shrinking, 1, __ATOMIC_SEQ_CST);
	shrunk = memcg;
	if (likely(!READ_ONCE(memcg->leaving) && !is_barred(memcg)))
		return true;
	memcg_shrink_end(memcg);
	return false;
}

void memcg_shrink_end(struct mem_cgroup *memcg)
{
	shrunk = NULL;
	/* Release: what was done with the objects was done before kill goes on. */
	__atomic_sub_fetch(&memcg->shrinking, 1, __ATOMIC_SEQ_CST);
}

bool memcg_is_shrinking(void)
{
	return shrunk;
}

/* Removed groups too, until their last reference is gone. cgroup_lock. */
static struct mem_cgroup *next_of_all(struct mem_cgroup *pos, const struct mem_cgroup *root)
{
	if (!list_empty(&pos->children))
		return list_first_entry(&pos->children, struct mem_cgroup, sibling);
	while (pos != root && pos->sibling.next == &pos->parent->children)
		pos = pos->parent;
	return pos == root ? NULL : container_of(pos->sibling.next, struct mem_cgroup, sibling);
}

static bool is_shrunk(struct mem_cgroup *root)
{
	struct mem_cgroup *memcg;

	lock(&cgroup_lock);
	for (memcg = root; memcg; memcg = next_of_all(memcg, root))
		if (__atomic_load_n(&memcg->shrinking, __ATOMIC_SEQ_CST))
			break;
	unlock(&cgroup_lock);
	return memcg;
}

int memcg_bar_shrinks(struct mem_cgroup *root)
{
	if (mem_cgroup_is_descendant(shrunk, root))
		return -EBUSY;
	__atomic_add_fetch(&root->barred, 1, __ATOMIC_SEQ_CST);
	for (int i = 0; is_shrunk(root); i++) {
		if (i == WAITS) {
			memcg_unbar_shrinks(root);
			return -EBUSY;
		}
		os_sleep_us(WAIT_US);
	}
	return 0;
}

void memcg_unbar_shrinks(struct mem_cgroup *root)
{
	atomic_sub(&root->barred, 1);
}

void memcg_shrinks_fork_child(void)
{
	struct mem_cgroup *memcg;

	for (memcg = &root_memcg; memcg; memcg = next_of_all(memcg, &root_memcg)) {
		uint32_t own = memcg == shrunk;

		if (memcg->shrinking != own && reclaim_ops.shrink_lost)
			reclaim_ops.shrink_lost(memcg);
		memcg->shrinking = own;
		memcg->barred = 0;
	}
}
