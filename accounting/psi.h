/* SPDX-License-Identifier: MIT */
/*
 * Pressure stall information of a group: for how long threads that work for it had to wait
 * for memory, in reclaim or held back above memory.high.
 *
 *	some	at least one thread of the subtree is stalled
 *	full	every thread inside the subtree is
 *
 * Averages are the kernel's: the share of each period of 2 seconds decays into three
 * of them in fixed point. They are brought up to date when a thread stalls or goes on, and
 * when somebody reads: so a group without pressure costs nothing, and needs no thread.
 *
 * A thread that sleeps counts as one that is not stalled; a process knows of its threads
 * only whether they are inside a group.
 */
#ifndef ACCOUNTING_PSI_H
#define ACCOUNTING_PSI_H

#include "alloc/base/compiler.h"

struct mem_cgroup;

enum psi_state { PSI_SOME, PSI_FULL, NR_PSI_STATES };
enum psi_span { PSI_10S, PSI_60S, PSI_300S, NR_PSI_SPANS };

/* Percent in fixed point. */
#define PSI_FRACTION_BITS 11

/* Times in microseconds of one clock. */
struct psi_times {
	uint64_t total[NR_PSI_STATES]; /* up to ->now */
	uint64_t now;
	uint64_t period_end;			   /* of the current one */
	uint64_t sampled[NR_PSI_STATES];	   /* the totals when it began */
	uint32_t avg[NR_PSI_STATES][NR_PSI_SPANS]; /* as of when it began */
	bool active[NR_PSI_STATES];		   /* since ->now */
};

/* Brings everything up to @now. The times of a group nobody has stalled in are 0. */
void psi_advance(struct psi_times *times, uint64_t now);

/* The same, and so it is from now on. */
void psi_change(struct psi_times *times, uint64_t now, bool some, bool full);

/* psi_lock: each stall comes by the root anyway, so one for all is no narrower. */
struct psi_group {
	uint32_t nr_stalled; /* threads, in the subtree */
	uint32_t process;    /* that has counted them; see psi_fork_child() */
	struct psi_times times;
};

/* ---- Stalls of the calling thread ---------------------------------------- */

struct psi_stall {
	struct mem_cgroup *memcg; /* NULL: within another */
};

/*
 * The calling thread, at work for @memcg, waits for memory from now on, until the other.
 * The caller holds a reference of @memcg, and no lock, and is in no RCU read section. They
 * nest: the outermost counts. Source: psi_memstall_enter(), kernel/sched/psi.c.
 */
void psi_memstall_enter(struct mem_cgroup *memcg, struct psi_stall *stall);
void psi_memstall_leave(struct psi_stall *stall);

void psi_fork_prepare(void);
void psi_fork_done(void);

/* In the child, after that: of the threads that were stalled there is at most one. */
void psi_fork_child(void);

#endif
