/* SPDX-License-Identifier: MIT */
/* The accounting identity, checked against what the slabs really hold. */
#include <errno.h>

#include "accounting/mem_cgroup.h"
#include "accounting/obj_stock.h"
#include "alloc/base/os.h"

/*
 * What is under way when the stocks freeze is done long before the last try, or
 * waits in the middle for the thaw: then another round finds it done.
 */
#define VERIFY_ROUNDS	200
#define VERIFY_TRIES	50
#define VERIFY_PAUSE_US 200

/*
 * Between two rounds, times the round: who waits must get what we hold before we
 * take it again, and on a busy machine it takes him a while to wake.
 */
#define VERIFY_THAW_US 100

static void verify_objcg(struct obj_cgroup *objcg, void *arg)
{
	struct mem_cgroup_identity *sum = arg;
	struct obj_stock_totals totals = {0};

	obj_cgroup_sum_stocks(objcg, &totals);
	sum->object_bytes += objcg->counted_bytes + totals.manual;
	sum->span_bytes += objcg->counted_span;
	sum->swap_bytes += objcg->counted_swap;
	sum->transit_bytes += objcg->counted_transit;
	sum->stock_bytes += totals.stock;
	sum->leftover_bytes += totals.leftover;
}

static void identity_sum(struct mem_cgroup *memcg, struct mem_cgroup_identity *sum)
{
	struct mem_cgroup *pos;

	*sum = (struct mem_cgroup_identity){0};
	memcg_ops.count_slabs();
	for_each_memcg (pos, memcg) {
		memcg_for_each_objcg(pos, verify_objcg, sum);
		sum->zswap_bytes += pos->counted_zswap;
	}
	sum->usage = (int64_t)mem_cgroup_usage(memcg);
	sum->swap_usage = (int64_t)mem_cgroup_swap_usage(memcg);
	sum->zswap_usage = (int64_t)mem_cgroup_zswap_usage(memcg);
}

/* What is compressed is counted at once, and its span says so when it is out. */
static bool zswap_agrees(const struct mem_cgroup_identity *sum)
{
	return sum->zswap_usage == sum->zswap_bytes ||
	       (sum->transit_bytes && sum->zswap_usage > sum->zswap_bytes);
}

static bool agrees(const struct mem_cgroup_identity *sum)
{
	return sum->usage == sum->object_bytes + sum->span_bytes + sum->stock_bytes +
				     sum->leftover_bytes &&
	       sum->swap_usage == sum->swap_bytes && zswap_agrees(sum);
}

/* Whether the numbers agreed at one moment. */
static bool verify_round(struct mem_cgroup *memcg, struct mem_cgroup_identity *sum)
{
	lock(&cgroup_lock);
	memcg_ops.recover_fork();
	memcg_freeze_stocks(&root_memcg);
	memcg_ops.settle_fork();
	identity_sum(memcg, sum);
	for (int i = 0; !agrees(sum) && i < VERIFY_TRIES; i++) {
		os_sleep_us(VERIFY_PAUSE_US);
		identity_sum(memcg, sum);
	}
	memcg_thaw_stocks(&root_memcg);
	unlock(&cgroup_lock);
	return agrees(sum);
}

int mem_cgroup_verify(struct mem_cgroup *memcg, struct mem_cgroup_identity *identity)
{
	struct mem_cgroup_identity sum;
	bool agreed = false;

	counters_own();
	rcu_take_in_thread(); /* settle_fork() gives bytes back */
	for (unsigned int i = 0; !agreed && i < VERIFY_ROUNDS; i++) {
		if (i)
			os_sleep_us(i * VERIFY_THAW_US);
		agreed = verify_round(memcg, &sum);
	}
	if (identity)
		*identity = sum;
	return agreed ? 0 : -EUCLEAN;
}
