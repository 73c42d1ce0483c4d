/* SPDX-License-Identifier: MIT */
#include "shrinker/reclaim.h"

#include "accounting/control.h"
#include "accounting/memalloc.h"
#include "accounting/reclaim_ops.h"
#include "alloc/pages/page_huge.h"
#include "alloc/pages/page_run.h"
#include "alloc/slab/heap.h"
#include "alloc/slab/span.h"
#include "alloc/slab/task.h"
#include "shrinker/doorbell.h"
#include "shrinker/pressure.h"
#include "shrinker/reclaim_thread.h"
#include "shrinker/shrink.h"
#include "shrinker/shrinker.h"
#include "shrinker/spare.h"

struct reclaim {
	struct shrink_scope scope; /* of the group that is looked at */
	struct mem_cgroup *target;
	int64_t goal;	 /* pages */
	int64_t start;	 /* amount() before */
	int64_t settled; /* machine: usage when pages were last given back */
	bool machine;	 /* what counts is memory of the machine, not charges */
	bool whole;	 /* walks of its own: every group is visited in each */
	bool low;	 /* what memory.low protects is taken too */
	bool low_spared; /* something was left for that */
	bool freed;	 /* objects, since the start */
};

/* Set while spare pages of the process count as much as objects. */
static __thread bool wants_spare_pages __attribute__((tls_model("initial-exec")));

bool reclaim_wants_spare_pages(void)
{
	return wants_spare_pages;
}

/* ---- Progress ------------------------------------------------------------- */

/* What is to become less, in pages. */
static int64_t amount(const struct reclaim *reclaim)
{
	struct page_run_stats stats;

	if (!reclaim->machine)
		return READ_ONCE(reclaim->target->memory.level->usage);
	page_runs_stats(&stats);
	return (int64_t)(stats.used + stats.dirty);
}

static int64_t gained(const struct reclaim *reclaim)
{
	return reclaim->start - amount(reclaim);
}

static bool is_enough(const struct reclaim *reclaim)
{
	return gained(reclaim) >= reclaim->goal;
}

static int64_t usage_of_all(void)
{
	return READ_ONCE(root_memcg.memory.level->usage);
}

/* Pages of objects that are gone, to the machine. Looks at each slab where some are. */
static void give_back_pages(struct reclaim *reclaim)
{
	heaps_reap();
	page_runs_purge_some(SIZE_MAX);
	reclaim->settled = usage_of_all();
}

/* What callbacks have freed becomes free for others. */
static void settle(struct reclaim *reclaim)
{
	task_settle_stocks();
	if (reclaim->machine && reclaim->settled - usage_of_all() >= reclaim->goal / 4)
		give_back_pages(reclaim);
}

/* scope->is_enough */
static bool scope_is_enough(struct shrink_scope *scope)
{
	struct reclaim *reclaim = container_of(scope, struct reclaim, scope);

	settle(reclaim);
	return is_enough(reclaim);
}

/* ---- One group -------------------------------------------------------------- */

/*
 * How much of what the group has may be scanned, of SHRINK_WHOLE_SHARE: what it uses
 * beyond what is protected. So siblings give in proportion to what they can spare.
 */
static uint32_t unprotected_share(struct reclaim *reclaim, const struct mem_cgroup *memcg)
{
	int64_t usage = READ_ONCE(memcg->memory.level->usage);
	int64_t min = mem_cgroup_effective_min(memcg);
	int64_t low = mem_cgroup_effective_low(memcg);
	int64_t protected = min;

	if (memcg == reclaim->target)
		return SHRINK_WHOLE_SHARE;
	if (!reclaim->low && low > min) {
		protected = low;
		reclaim->low_spared = true;
	}
	if (protected >= usage) /* it has shrunk since we looked */
		return protected > 0 ? 0 : SHRINK_WHOLE_SHARE;
	return SHRINK_WHOLE_SHARE - (uint32_t)(SHRINK_WHOLE_SHARE * protected / usage);
}

/* Whether nothing of the group may be taken in this walk. */
static bool is_protected(struct reclaim *reclaim, struct mem_cgroup *memcg)
{
	mem_cgroup_calculate_protection(reclaim->target, memcg);
	/* What is not charged is of use to the machine only. */
	if (!READ_ONCE(memcg->memory.level->usage))
		return !reclaim->machine;
	if (mem_cgroup_below_min(reclaim->target, memcg))
		return true;
	if (!mem_cgroup_below_low(reclaim->target, memcg))
		return false;
	if (!reclaim->low) {
		reclaim->low_spared = true;
		return true;
	}
	memcg_event(memcg, MEMCG_EVENT_LOW);
	return false;
}

/* Shrinkers that know no groups have what is the program's, so they are part of its group. */
static bool has_global_shrinkers(const struct reclaim *reclaim, const struct mem_cgroup *memcg)
{
	return memcg == reclaim->target && (memcg == process_memcg || memcg == &root_memcg);
}

/* Returns whether there is enough. */
static bool shrink_group(struct reclaim *reclaim, struct mem_cgroup *memcg)
{
	struct shrink_scope *scope = &reclaim->scope;
	unsigned long freed = 0;

	if (is_protected(reclaim, memcg))
		return false;
	scope->memcg = memcg;
	scope->share = SHRINK_WHOLE_SHARE;
	if (has_global_shrinkers(reclaim, memcg))
		freed = shrink_slab_global(scope);
	scope->share = unprotected_share(reclaim, memcg);
	freed += shrink_slab_memcg(scope);
	if (freed) {
		reclaim->freed = true;
		settle(reclaim);
	}
	reclaim_thread_step(freed);
	/* It was, even if others have charged it since. */
	return scope->enough || (freed && is_enough(reclaim));
}

/* ---- Walks ------------------------------------------------------------------ */

/*
 * One walk; returns whether there is enough. Those who reclaim the same subtree share it, each with
 * a part of the groups, and it is left where there is enough: the next goes on from there. So no
 * group gives more often than its siblings.
 */
static bool walk(struct reclaim *reclaim)
{
	struct mem_cgroup_reclaim_cookie cookie, *shared = reclaim->whole ? NULL : &cookie;
	struct mem_cgroup *memcg = NULL;

	while ((memcg = mem_cgroup_iter(reclaim->target, memcg, shared))) {
		if (shrink_group(reclaim, memcg)) {
			mem_cgroup_iter_break(reclaim->target, memcg);
			return true;
		}
	}
	if (!reclaim->machine)
		return false;
	give_back_pages(reclaim);
	return is_enough(reclaim);
}

/* Returns whether there is enough, or at least progress. */
static bool walk_all_priorities(struct reclaim *reclaim)
{
	struct shrink_scope *scope = &reclaim->scope;

	for (scope->priority = DEF_PRIORITY; scope->priority >= 0; scope->priority--) {
		scope->found = 0;
		if (walk(reclaim))
			return true;
		if (scope->found)
			continue;
		/* Where there is nothing more pressure makes no more; but others share the walk. */
		if (reclaim->whole)
			break;
		reclaim->whole = true;
	}
	return reclaim->freed;
}

/* What is left in huge pages that are almost free moves together, so that they go whole. */
static void compact(struct reclaim *reclaim)
{
	int64_t missing = reclaim->goal - gained(reclaim);

	if (reclaim->machine && missing > 0)
		spans_compact((size_t)missing / HUGE_PAGES + 1);
}

/* In callback context. */
static void run(struct reclaim *reclaim)
{
	if (walk_all_priorities(reclaim))
		return;
	/* The parts that others had may have been all there was. */
	if (!reclaim->whole) {
		reclaim->whole = true;
		if (walk_all_priorities(reclaim))
			return;
	}
	/* What memory.low protects goes before anybody is refused. */
	if (reclaim->low_spared) {
		reclaim->low = true;
		walk_all_priorities(reclaim);
	}
}

/* Returns by how many pages the amount fell, or 1 if only objects are gone. */
static int64_t run_in_callbacks(struct reclaim *reclaim)
{
	struct task_scope scope;
	int64_t pages;

	reclaim->start = amount(reclaim);
	reclaim->settled = usage_of_all();
	if (!task_begin_callbacks(&scope))
		return 0;
	wants_spare_pages = reclaim->target == &root_memcg;
	run(reclaim);
	wants_spare_pages = false;
	task_end_callbacks(&scope);
	compact(reclaim);
	pages = gained(reclaim);
	return pages > 0 ? pages : reclaim->freed;
}

/* ---- By whom ---------------------------------------------------------------- */

static bool may_reclaim(gfp_t gfp)
{
	return (gfp & __GFP_DIRECT_RECLAIM) && shrinkers_registered();
}

static struct reclaim reclaim_of(struct mem_cgroup *memcg, int64_t pages, gfp_t gfp)
{
	return (struct reclaim){
		.scope = {.gfp = memalloc_gfp(gfp), .is_enough = scope_is_enough},
		.target = memcg,
		.goal = pages,
	};
}

int64_t reclaim_pages(struct mem_cgroup *memcg, int64_t pages)
{
	struct reclaim reclaim = reclaim_of(memcg, pages, GFP_KERNEL);

	return may_reclaim(reclaim.scope.gfp) ? run_in_callbacks(&reclaim) : 0;
}

int64_t try_to_free_mem_cgroup_pages(struct mem_cgroup *memcg, int64_t pages, gfp_t gfp)
{
	struct reclaim reclaim = reclaim_of(memcg, pages, gfp);
	int64_t freed;

	if (!may_reclaim(reclaim.scope.gfp))
		return 0;
	freed = run_in_callbacks(&reclaim);
	if (reclaim.scope.skipped && freed < pages)
		freed += reclaim_thread_ask(memcg, pages - freed);
	return freed;
}

int64_t reclaim_machine(int64_t pages)
{
	struct reclaim reclaim = reclaim_of(&root_memcg, pages, GFP_KERNEL);

	spare_register();
	reclaim.machine = true;
	return run_in_callbacks(&reclaim);
}

void reclaim_init(void)
{
	reclaim_ops.compact = span_compact;
	reclaim_ops.try_to_free = try_to_free_mem_cgroup_pages;
	reclaim_ops.high_exceeded = reclaim_thread_high;
	reclaim_ops.machine_high = pressure_machine_high;
	pressure_kick = reclaim_thread_kick;
	doorbell_init(control_doorbell());
}
