/* SPDX-License-Identifier: MIT */
/*
 * One charge of whole pages, from the first try to the refusal.
 *
 *	charge_begin(&charge, objcg, gfp);
 *	do {
 *		lock(...);
 *		charged = charge_try(&charge, pages);
 *		... write down what was charged, under the same lock ...
 *		unlock(...);
 *	} while (!charged && charge_again(&charge));
 *	charge_end(&charge);
 *
 * A charge and the note of whose it is are made under one lock, so whoever
 * holds the lock finds the books balanced. charge_again() makes room below the
 * limit that was in the way, with no lock held: it drains the stocks, then has
 * memory reclaimed, which runs callbacks of the program, until that helps no more;
 * then the program's callback for that case decides (mem_cgroup_set_oom()).
 * If the group was removed meanwhile, its limit binds nobody: the charge goes to
 * the nearest living ancestor.
 */
#ifndef ACCOUNTING_CHARGE_H
#define ACCOUNTING_CHARGE_H

#include "accounting/obj_cgroup.h"

struct charge {
	struct obj_cgroup *objcg;  /* the caller's */
	struct mem_cgroup *memcg;  /* a reference */
	struct page_counter *fail; /* whose limit was in the way */
	int64_t pages;		   /* that were refused */
	uint64_t bytes;		   /* that were asked for */
	gfp_t gfp;		   /* what is left of it in the thread's scopes */
	int drains;
	int rounds;   /* of reclaim, in all */
	int useless;  /* of them, the last ones, without progress */
	int ooms;     /* times that the program was asked */
	bool force;   /* past any limit */
	bool unwinds; /* by what the thread's memalloc_overcharge_save() allows */
};

void charge_begin(struct charge *charge, struct obj_cgroup *objcg, gfp_t gfp, uint64_t bytes);
bool charge_try(struct charge *charge, int64_t pages);

/* Whether it is worth another try; if not, the refusal has been counted. */
bool charge_again(struct charge *charge);

void charge_end(struct charge *charge);

#endif
