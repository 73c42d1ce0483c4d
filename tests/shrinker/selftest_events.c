/* SPDX-License-Identifier: MIT */
/* memory.events, memory.events.local and OOM, as test_memcontrol.c of the kernel tests them. */
#include <cgslab/slab.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>

#include "tests/shrinker/cg.h"
#include "tests/shrinker/hoard.h"

static struct mem_cgroup *parent, *child;
static struct pinned *pinned;

static void begin(void)
{
	hoards_begin(0);
	parent = cg_create(NULL, "parent");
	child = cg_create(parent, "child");
}

static void end(void)
{
	unpin(&pinned);
	cg_destroy(child);
	cg_destroy(parent);
	hoards_end();
	cr_expect_eq(mem_cgroup_verify(mem_cgroup_root(), NULL), 0);
}

/* What happens below counts above, too, but not as its own. */
static void expect_events(struct mem_cgroup *memcg, const char *key, bool any, bool local)
{
	uint64_t all = cg_read_key(memcg, "memory.events", key);
	uint64_t own = cg_read_key(memcg, "memory.events.local", key);

	cr_expect_eq(all > 0, any, "%s of %s: %" PRIu64, key, mem_cgroup_name(memcg), all);
	cr_expect_eq(own > 0, local, "local %s of %s: %" PRIu64, key, mem_cgroup_name(memcg), own);
}

Test(events, of_the_childs_limit, .init = begin, .fini = end)
{
	cg_write(child, "memory.max", "5M");
	cr_expect_lt(pin(child, MB(10), GFP_KERNEL, &pinned), MB(10));
	expect_events(child, "max", true, true);
	expect_events(parent, "max", true, false);
	expect_events(child, "oom", true, true);
	expect_events(parent, "oom", true, false);
	expect_events(child, "high", false, false);
}

Test(events, of_the_parents_limit, .init = begin, .fini = end)
{
	cg_write(parent, "memory.max", "5M");
	cr_expect_lt(pin(child, MB(10), GFP_KERNEL, &pinned), MB(10));
	expect_events(child, "max", false, false);
	expect_events(parent, "max", true, true);
	expect_events(child, "oom", false, false);
	expect_events(parent, "oom", true, true);
}

Test(events, of_high, .init = begin, .fini = end)
{
	cg_write(child, "memory.high", "5M");
	cr_expect_eq(pin(child, MB(6), GFP_KERNEL, &pinned), MB(6));
	expect_events(child, "high", true, true);
	expect_events(parent, "high", true, false);
	expect_events(child, "max", false, false);
}

/* ---- OOM ------------------------------------------------------------------------- */

struct seen {
	unsigned int calls;
	struct mem_cgroup_oom last;
};

static enum mem_cgroup_oom_verdict refuse(const struct mem_cgroup_oom *oom, void *arg)
{
	struct seen *seen = arg;

	seen->calls++;
	seen->last = *oom;
	return MEMCG_OOM_REFUSE;
}

Test(oom, is_asked_before_anybody_is_refused, .init = begin, .fini = end)
{
	struct hoard *hoard = hoard_create(child);
	struct seen seen = {0};

	cg_write(parent, "memory.max", "5M");
	mem_cgroup_set_oom(parent, refuse, &seen);
	cr_expect_eq(hoard_fill(hoard, MB(10), GFP_KERNEL), MB(10));
	cr_expect_eq(seen.calls, 0, "reclaim was enough");
	cr_expect_lt(pin(child, MB(10), GFP_KERNEL, &pinned), MB(10));
	cr_expect_eq(hoard_objects(hoard), 0, "first all that there was");
	cr_expect_eq(seen.calls, 1);
	cr_expect_eq(seen.last.memcg, parent);
	mem_cgroup_set_oom(parent, NULL, NULL);
	hoard_destroy(hoard);
}

static enum mem_cgroup_oom_verdict sacrifice(const struct mem_cgroup_oom *oom, void *arg)
{
	(void)oom;
	unpin(arg);
	return MEMCG_OOM_RETRY;
}

/* As oom.group and a killed process: one of the two children gives all it has. */
Test(oom, a_victim_makes_room, .init = begin, .fini = end)
{
	struct mem_cgroup *victim = cg_create(parent, "victim");
	struct pinned *mine = NULL;

	cg_write(parent, "memory.max", "8M");
	cr_assert_eq(pin(victim, MB(5), GFP_KERNEL, &mine), MB(5));
	mem_cgroup_set_oom(parent, sacrifice, &mine);
	cr_expect_eq(pin(child, MB(7), GFP_KERNEL, &pinned), MB(7));
	cr_expect_null(mine);
	cr_expect_eq(cg_current(victim), 0);
	cr_expect_leq(cg_current(parent), MB(8));
	mem_cgroup_set_oom(parent, NULL, NULL);
	cg_destroy(victim);
}
