/* SPDX-License-Identifier: MIT */
#include "accounting/high.h"

#include <errno.h>

#include "accounting/psi.h"
#include "accounting/reclaim_ops.h"
#include "alloc/base/os.h"

/*
 * The delay, as in the kernel's calculate_high_delay(): a group that is above its high
 * by the part x of it costs 64 * x * x seconds for each DELAY_PAGES that are charged.
 */
#define OVERAGE_SHIFT 20	 /* of x as a fixed-point number */
#define SCALING_SHIFT 14	 /* 64 s for x = 1 */
#define OVERAGE_MOST  (2l << 20) /* more makes no difference: the longest delay for one page */
#define DELAY_PAGES   64
#define DELAY_MOST_MS 2000

/* Less is not worth a sleep: it is kept in mind until it is. */
#define DELAY_LEAST_MS 10

/* A look whether the usage has fallen meanwhile. */
#define LOOK_MS 10

bool memcg_throttle_malloc;

/* ---- How long ---------------------------------------------------------------- */

static int64_t overage(int64_t usage, int64_t high)
{
	if (usage <= high)
		return 0;
	high = max_t(int64_t, high, 1);
	if (usage - high >= 2 * high)
		return OVERAGE_MOST;
	return (int64_t)((unsigned __int128)(usage - high) << OVERAGE_SHIFT) / high;
}

static int64_t delay_ms(int64_t x, int64_t pages)
{
	int64_t for_batch = x * x * 1000 >> (OVERAGE_SHIFT + SCALING_SHIFT);

	pages = min_t(int64_t, pages, DELAY_PAGES * DELAY_MOST_MS);
	return min_t(int64_t, for_batch * pages / DELAY_PAGES, DELAY_MOST_MS);
}

int64_t memcg_high_delay(int64_t usage, int64_t high, int64_t pages)
{
	return delay_ms(overage(usage, high), pages);
}

static bool is_high(const struct page_counter *counter)
{
	return READ_ONCE(counter->level->usage) > READ_ONCE(counter->level->high);
}

/* Of the group or an ancestor, whichever is worse. The root's is the machine's. */
static int64_t worst_overage(const struct page_counter *counter)
{
	int64_t worst = 0;

	for (; counter->parent; counter = counter->parent) {
		const struct counters_level *level = counter->level;
		int64_t x = overage(READ_ONCE(level->usage), READ_ONCE(level->high));

		worst = max_t(int64_t, worst, x);
	}
	return worst;
}

/* Who is above both, of memory and of swap, is slowed down for both. */
static int64_t penalty_ms(const struct mem_cgroup *memcg, int64_t pages)
{
	int64_t ms = delay_ms(worst_overage(&memcg->memory), pages) +
		     delay_ms(worst_overage(&memcg->swap), pages);

	return min_t(int64_t, ms, DELAY_MOST_MS);
}

/* ---- What is done about it --------------------------------------------------- */

/* Returns whether anything was freed. */
static bool reclaim_high(struct mem_cgroup *memcg, int64_t pages, gfp_t gfp)
{
	bool freed = false;

	for (struct mem_cgroup *pos = memcg; pos->parent; pos = pos->parent)
		if (is_high(&pos->memory) && memcg_reclaim(pos, pages, gfp, memcg) > 0)
			freed = true;
	return freed;
}

/* Ends early when others bring the usage down. */
static void sleep_off(const struct mem_cgroup *memcg, int64_t ms, int64_t pages)
{
	uint64_t begin = os_clock_ms();
	int64_t slept = 0;

	while (slept < ms) {
		os_sleep_us((unsigned int)min_t(int64_t, ms - slept, LOOK_MS) * 1000);
		slept = (int64_t)(os_clock_ms() - begin);
		ms = min_t(int64_t, ms, penalty_ms(memcg, pages));
	}
}

static void throttle(struct mem_cgroup *memcg, int64_t pages, gfp_t gfp)
{
	struct psi_stall stall;
	int64_t ms;

	memalloc.high_owed += pages;
	for (int i = 0; i < RECLAIM_ROUNDS; i++) {
		bool freed = memcg_may_reclaim(gfp) &&
			     reclaim_high(memcg, max_t(int64_t, pages, RECLAIM_PAGES), gfp);

		if (!worst_overage(&memcg->memory) && !worst_overage(&memcg->swap))
			memalloc.high_owed = 0;
		ms = penalty_ms(memcg, memalloc.high_owed);
		if (ms < DELAY_LEAST_MS)
			return;
		if (!freed) /* as long as there is progress, that is better than to sleep */
			break;
	}
	pages = memalloc.high_owed;
	memalloc.high_owed = 0;
	psi_memstall_enter(memcg, &stall);
	sleep_off(memcg, ms, pages);
	psi_memstall_leave(&stall);
}

static bool may_throttle(gfp_t gfp)
{
	return gfp & __GFP_DIRECT_RECLAIM && (gfp & __GFP_FS || memcg_throttle_malloc) &&
	       !rcu_read_ongoing();
}

static void handle_group(struct mem_cgroup *memcg, int64_t pages, gfp_t gfp)
{
	if (!load_acquire(&memcg->online)) /* its usage is the parent's now */
		return;
	for (struct mem_cgroup *pos = memcg; pos->parent; pos = pos->parent) {
		if (is_high(&pos->swap))
			memcg_event(pos, MEMCG_EVENT_SWAP_HIGH);
		if (!is_high(&pos->memory))
			continue;
		memcg_event(pos, MEMCG_EVENT_HIGH);
		if (reclaim_ops.high_exceeded)
			reclaim_ops.high_exceeded(pos);
	}
	if (may_throttle(gfp))
		throttle(memcg, pages, gfp);
}

static void handle_machine(gfp_t gfp)
{
	if (!reclaim_ops.machine_high)
		return;
	if (rcu_read_ongoing())
		gfp &= ~__GFP_DIRECT_RECLAIM;
	reclaim_ops.machine_high(gfp);
}

void memcg_handle_high(gfp_t gfp)
{
	uint64_t id = memalloc.high_id;
	struct mem_cgroup *memcg = id ? mem_cgroup_from_id(id) : NULL;
	bool machine = memalloc.machine_high;
	int64_t pages = memalloc.high_pages;
	int saved_errno = errno;

	memalloc.high_id = 0;
	memalloc.machine_high = false;
	/* Who frees memory is not to be held up. */
	if (!memalloc_is_noreclaim()) {
		if (memcg)
			handle_group(memcg, pages, memalloc_gfp(gfp));
		if (machine)
			handle_machine(memalloc_gfp(gfp));
	}
	mem_cgroup_put(memcg);
	errno = saved_errno;
}
