/* SPDX-License-Identifier: MIT */
/*
 * Bytes that a group is charged for nothing, so that there is room when a charge is
 * refused and somebody has to unwind. On the books they are like those of
 * obj_cgroup_charge().
 */
#include "accounting/reserve.h"

#include <errno.h>

#include "accounting/high.h"
#include "accounting/memcg_more.h"
#include "accounting/obj_cgroup.h"

static void uncharge(struct mem_cgroup *memcg, int64_t bytes)
{
	if (bytes > 0)
		obj_cgroup_uncharge_direct(memcg->objcg, (size_t)bytes, true);
}

void memcg_give_up_reserve(struct mem_cgroup *memcg)
{
	struct memcg_more *more = memcg_more_if_any(memcg);

	if (unlikely(more) && READ_ONCE(more->reserve))
		uncharge(memcg, atomic_xchg(&more->reserve, 0));
}

/* From @old to @bytes, unless it is something else by now, or the group is removed. */
static int change(struct mem_cgroup *memcg, struct memcg_more *more, int64_t old, int64_t bytes)
{
	int err = 0;

	lock(&cgroup_lock); /* the removal gives up what it finds */
	if (!memcg->online)
		err = -ENODEV;
	else if (!cmpxchg_relaxed(&more->reserve, &old, bytes))
		err = -EAGAIN;
	unlock(&cgroup_lock);
	return err;
}

static int set_reserve(struct mem_cgroup *memcg, struct memcg_more *more, int64_t bytes)
{
	int64_t old = READ_ONCE(more->reserve);
	int64_t more_bytes = bytes - old;
	int err;

	if (more_bytes > 0 &&
	    obj_cgroup_charge_direct(memcg->objcg, GFP_KERNEL, (size_t)more_bytes))
		return -ENOMEM;
	err = change(memcg, more, old, bytes);
	uncharge(memcg, err ? more_bytes : -more_bytes);
	return err;
}

int mem_cgroup_set_reserve(struct mem_cgroup *memcg, uint64_t bytes)
{
	struct memcg_more *more;
	int err;

	if (bytes > CGSLAB_CHARGE_MAX)
		return -ENOMEM;
	counters_own();
	rcu_take_in_thread();
	more = memcg_more(memcg);
	if (!more)
		return -ENOMEM;
	do {
		err = set_reserve(memcg, more, (int64_t)bytes);
	} while (err == -EAGAIN);
	memcg_charge_done(GFP_KERNEL);
	return err;
}

uint64_t mem_cgroup_reserve(const struct mem_cgroup *memcg)
{
	const struct memcg_more *more = memcg_more_if_any(memcg);

	return more ? (uint64_t)READ_ONCE(more->reserve) : 0;
}
