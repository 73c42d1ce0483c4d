/* SPDX-License-Identifier: MIT */
/* Which threads are stalled in which group, and memory.pressure. */
#include <errno.h>
#include <time.h>

#include "accounting/memcg_more.h"

static struct lock psi_lock = LOCK_INIT(LOCK_RANK_PSI);
static uint32_t process; /* forks before this one; psi_lock */

/* The calling thread's outermost stall. */
static __thread struct psi_stall *current_stall __attribute__((tls_model("initial-exec")));

static uint64_t clock_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* Those that were stalled at the fork are the parent's. psi_lock. */
static void forget_parents(struct psi_group *group)
{
	if (likely(group->process == process))
		return;
	group->process = process;
	group->nr_stalled = 0;
	group->times.active[PSI_SOME] = false;
	group->times.active[PSI_FULL] = false;
}

/* The record has the totals too, for who looks from outside. psi_lock. */
static void publish(struct mem_cgroup *memcg, const struct psi_times *times)
{
	WRITE_ONCE(memcg->memory.record->stall_some, times->total[PSI_SOME]);
	WRITE_ONCE(memcg->memory.record->stall_full, times->total[PSI_FULL]);
}

/* One thread more, or less, is stalled in the subtree, and another is at work there or not. */
static void change(struct mem_cgroup *memcg, int by, bool running)
{
	struct memcg_more *more = memcg_more(memcg);
	struct psi_group *group;

	if (!more)
		return;
	group = &more->psi;
	lock(&psi_lock);
	forget_parents(group);
	if (by > 0 || group->nr_stalled) /* the other was not counted, for want of memory */
		group->nr_stalled += (uint32_t)by;
	psi_change(&group->times, clock_us(), group->nr_stalled, group->nr_stalled && !running);
	publish(memcg, &group->times);
	unlock(&psi_lock);
}

/*
 * Whether somebody is at work is asked without the lock, whose rank is above that of the
 * tasks', and may change at any time: it is as of now until the next change.
 */
static void change_all(struct mem_cgroup *memcg, int by)
{
	bool running = false;

	for (; memcg; memcg = memcg->parent) {
		running = running || memcg_ops.has_running(memcg);
		change(memcg, by, running);
	}
}

void psi_memstall_enter(struct mem_cgroup *memcg, struct psi_stall *stall)
{
	stall->memcg = current_stall ? NULL : memcg;
	if (!stall->memcg)
		return;
	counters_own();
	current_stall = stall;
	memcg_ops.note_stall(true);
	change_all(memcg, 1);
}

void psi_memstall_leave(struct psi_stall *stall)
{
	if (!stall->memcg)
		return;
	counters_own();
	memcg_ops.note_stall(false);
	change_all(stall->memcg, -1);
	current_stall = NULL;
}

/* ---- Reading -------------------------------------------------------------- */

static struct mem_cgroup_pressure_line read_line(const struct psi_times *times,
						 enum psi_state state)
{
	uint32_t share[NR_PSI_SPANS];

	for (int span = 0; span < NR_PSI_SPANS; span++)
		share[span] =
			(uint32_t)((uint64_t)times->avg[state][span] * 100 >> PSI_FRACTION_BITS);
	return (struct mem_cgroup_pressure_line){
		.avg10 = share[PSI_10S],
		.avg60 = share[PSI_60S],
		.avg300 = share[PSI_300S],
		.total_us = times->total[state],
	};
}

int mem_cgroup_pressure(struct mem_cgroup *memcg, struct mem_cgroup_pressure *pressure)
{
	struct memcg_more *more = memcg_more_if_any(memcg);

	if (pressure->size != sizeof(*pressure))
		return -EINVAL;
	*pressure = (struct mem_cgroup_pressure){.size = sizeof(*pressure)};
	if (!more)
		return 0;
	counters_own();
	lock(&psi_lock);
	forget_parents(&more->psi);
	psi_advance(&more->psi.times, clock_us());
	publish(memcg, &more->psi.times);
	pressure->some = read_line(&more->psi.times, PSI_SOME);
	pressure->full = read_line(&more->psi.times, PSI_FULL);
	unlock(&psi_lock);
	return 0;
}

/* ---- fork ------------------------------------------------------------------- */

void psi_fork_prepare(void)
{
	lock(&psi_lock);
}

void psi_fork_done(void)
{
	unlock(&psi_lock);
}

void psi_fork_child(void)
{
	process++;
	if (current_stall)
		change_all(current_stall->memcg, 1);
}
