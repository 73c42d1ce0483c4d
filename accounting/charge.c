/* SPDX-License-Identifier: MIT */
#include "accounting/charge.h"

#include "accounting/memalloc.h"
#include "accounting/obj_stock.h"
#include "accounting/oom.h"
#include "accounting/reclaim_ops.h"
#include "accounting/reserve.h"

/* For who may not reclaim. */
#define CHARGE_DRAINS 3

/* The program may say as often that it has made room. */
#define OOM_ROUNDS 16

void charge_begin(struct charge *charge, struct obj_cgroup *objcg, gfp_t gfp, uint64_t bytes)
{
	*charge = (struct charge){
		.objcg = objcg,
		.memcg = get_mem_cgroup_from_objcg(objcg),
		.bytes = bytes,
		.gfp = memalloc_gfp(gfp),
		.force = memalloc_is_noreclaim(),
	};
}

/* Whether so much may go past the limit that is in the way. */
static bool may_pass(const struct charge *charge, int64_t pages)
{
	int64_t bytes = pages << PAGE_SHIFT;

	if (charge->force)
		return true;
	if (!charge->unwinds || memalloc.overcharge < bytes)
		return false;
	memalloc.overcharge -= bytes;
	return true;
}

bool charge_try(struct charge *charge, int64_t pages)
{
	struct page_counter *counter = &charge->memcg->memory;

	if (likely(page_counter_try_charge(counter, pages, &charge->fail)))
		return true;
	charge->pages = pages;
	if (!may_pass(charge, pages))
		return false;
	page_counter_charge(counter, pages);
	return true;
}

/* Whether the group was removed meanwhile; then another is charged from now on. */
static bool was_reparented(struct charge *charge)
{
	struct mem_cgroup *old = charge->memcg;

	if (load_acquire(&old->online)) /* pairs with memcg_unlink() */
		return false;
	lock(&cgroup_lock); /* until the removal has got to the obj_cgroup */
	unlock(&cgroup_lock);
	charge->memcg = get_mem_cgroup_from_objcg(charge->objcg);
	mem_cgroup_put(old);
	return true;
}

/* Whether reclaim may help, or has helped; bounded. */
static bool charge_reclaim(struct charge *charge, struct mem_cgroup *over)
{
	int64_t freed;

	if (charge->useless == RECLAIM_USELESS || charge->rounds++ == RECLAIM_ROUNDS)
		return false;
	freed = memcg_reclaim(over, max_t(int64_t, charge->pages, RECLAIM_PAGES), charge->gfp,
			      charge->memcg);
	if (freed > 0) {
		charge->useless = 0;
		memcg_drain_stocks(over); /* what others have freed meanwhile */
	} else {
		os_pause((unsigned int)charge->useless++);
	}
	return true;
}

/* Makes room below the limit that is in the way, if there can be. */
static bool make_room(struct charge *charge, struct mem_cgroup *over)
{
	bool reclaims = memcg_may_reclaim(charge->gfp);

	if (charge->pages > READ_ONCE(over->memory.level->max))
		return false;
	if (charge->drains < (reclaims ? 1 : CHARGE_DRAINS)) { /* no callbacks: in any context */
		charge->drains++;
		memcg_drain_stocks(over);
		return true;
	}
	return reclaims && charge_reclaim(charge, over);
}

/* What a charge does past the limit without being asked. */
static bool may_force(struct charge *charge)
{
	if (charge->gfp & __GFP_NOFAIL && !charge->force) {
		charge->force = true;
		return true;
	}
	if (memalloc.overcharge && !charge->unwinds) {
		charge->unwinds = true;
		return true;
	}
	return false;
}

/* Nothing is left to reclaim: asks the program. Whether to try again. */
static bool charge_oom(struct charge *charge, struct mem_cgroup *over)
{
	if (charge->ooms++ == 0)
		memcg_event(over, MEMCG_EVENT_OOM);
	if (charge->ooms > OOM_ROUNDS || charge->force || !memcg_may_call_back(charge->gfp))
		return false;
	switch (memcg_oom(over, charge->memcg, charge->bytes, charge->gfp)) {
	case MEMCG_OOM_RETRY:
		charge->drains = 0;
		charge->useless = 0;
		return true;
	case MEMCG_OOM_OVERCHARGE:
		charge->force = true;
		return true;
	default:
		return false;
	}
}

static void charge_refused(struct charge *charge, struct mem_cgroup *over)
{
	struct mem_cgroup *memcg = charge->memcg;

	memalloc_note_refusal(over, charge->bytes);
	for (memcg_give_up_reserve(memcg); memcg != over; memcg_give_up_reserve(memcg))
		memcg = memcg->parent;
}

bool charge_again(struct charge *charge)
{
	struct mem_cgroup *over = container_of(charge->fail, struct mem_cgroup, memory);

	if (was_reparented(charge))
		return true;
	memcg_event(over, MEMCG_EVENT_MAX);
	if (make_room(charge, over) || may_force(charge) || charge_oom(charge, over))
		return true;
	charge_refused(charge, over);
	return false;
}

void charge_end(struct charge *charge)
{
	mem_cgroup_put(charge->memcg);
}
