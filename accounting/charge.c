/* SPDX-License-Identifier: MIT */
#include "accounting/charge.h"

#include "accounting/obj_stock.h"

#define CHARGE_RETRIES 3

void charge_begin(struct charge *charge, struct obj_cgroup *objcg, gfp_t gfp)
{
	*charge = (struct charge){
		.objcg = objcg,
		.memcg = get_mem_cgroup_from_objcg(objcg),
		.gfp = gfp,
	};
}

bool charge_try(struct charge *charge, int64_t pages)
{
	struct page_counter *counter = &charge->memcg->memory;

	if (likely(page_counter_try_charge(counter, pages, &charge->fail)))
		return true;
	if (charge->force)
		page_counter_charge(counter, pages);
	return charge->force;
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

bool charge_again(struct charge *charge)
{
	struct mem_cgroup *over = container_of(charge->fail, struct mem_cgroup, memory);

	if (was_reparented(charge))
		return true;
	if (charge->tries++ < CHARGE_RETRIES) { /* no callbacks, so any context may */
		memcg_event(over, MEMCG_EVENT_MAX);
		memcg_drain_stocks(over);
		return true;
	}
	if (charge->gfp & __GFP_NOFAIL) {
		charge->force = true;
		return true;
	}
	memcg_event(over, MEMCG_EVENT_OOM);
	return false;
}

void charge_end(struct charge *charge)
{
	mem_cgroup_put(charge->memcg);
}
