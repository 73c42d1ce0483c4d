/* SPDX-License-Identifier: MIT */
/* Which threads are stalled in which group, and memory.pressure. */
#include <errno.h>
#include <time.h>

#include "accounting/memcg_more.h"

/* The calling thread's outermost stall. */
static __thread struct psi_stall *current_stall __attribute__((tls_model("initial-exec")));

static uint64_t clock_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

void psi_group_init(struct psi_group *group)
{
	lock_init(&group->lock, LOCK_RANK_PSI);
}

/* The record has the totals too, for who looks from outside. lock. */
static void publish(struct mem_cgroup *memcg, const struct psi_times *times)
{
	WRITE_ONCE(memcg->memory.record->stall_some, times->total[PSI_SOME]);
	WRITE_ONCE(memcg->memory.record->stall_full, times->total[PSI_FULL]);
}

/*
 * One thread more, or less, is stalled in the subtree. Whether another is at work there
 * is asked before, as the locks go, and may change at any time: it is as of now until
 * the next change.
 */
static void change(struct mem_cgroup *memcg, int by)
{
	struct memcg_more *more = memcg_more(memcg);
	bool running;

	if (!more)
		return;
	running = memcg_ops.has_running(memcg);
	lock(&more->psi.lock);
	if (by > 0 || more->psi.nr_stalled) /* the other was not counted, for want of memory */
		more->psi.nr_stalled += (uint32_t)by;
	psi_change(&more->psi.times, clock_us(), more->psi.nr_stalled,
		   more->psi.nr_stalled && !running);
	publish(memcg, &more->psi.times);
	unlock(&more->psi.lock);
}

static void change_all(struct mem_cgroup *memcg, int by)
{
	for (; memcg; memcg = memcg->parent)
		change(memcg, by);
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
	lock(&more->psi.lock);
	psi_advance(&more->psi.times, clock_us());
	publish(memcg, &more->psi.times);
	pressure->some = read_line(&more->psi.times, PSI_SOME);
	pressure->full = read_line(&more->psi.times, PSI_FULL);
	unlock(&more->psi.lock);
	return 0;
}

/* ---- fork ------------------------------------------------------------------- */

/* The averages stay; of the threads that were stalled there is at most one. */
void psi_group_fork_child(struct psi_group *group)
{
	psi_group_init(group);
	group->nr_stalled = 0;
	group->times.active[PSI_SOME] = false;
	group->times.active[PSI_FULL] = false;
}

void psi_fork_child(void)
{
	if (current_stall)
		change_all(current_stall->memcg, 1);
}
