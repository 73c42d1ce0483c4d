/* SPDX-License-Identifier: MIT */
#include "accounting/control.h"

#include "accounting/mem_cgroup.h"
#include "accounting/memalloc.h"
#include "accounting/reclaim_ops.h"
#include "alloc/base/os.h"

uint32_t control_seen; /* atomic: of header->requests, before ->request was looked at */

static bool running; /* atomic: a thread is in control_run() */

/* Returns the answer. */
static uint64_t serve(struct mem_cgroup *memcg, uint64_t pages, gfp_t gfp)
{
	memcg_meet_limits(memcg, gfp); /* which may have been written, too */
	if (pages == CONTROL_COMPACT)
		return reclaim_ops.compact ? reclaim_ops.compact() >> PAGE_SHIFT : 0;
	return (uint64_t)-memcg_reclaim_pages(memcg, (int64_t)pages, gfp);
}

static void run_request(struct mem_cgroup *memcg, gfp_t gfp)
{
	struct counters_record *record = memcg->memory.record;
	uint64_t request, ticket, answer;

	if (!READ_ONCE(record->request))
		return;
	/* Two that see it at once: one gets it. Pairs with the swap by who asks. */
	request = atomic_xchg(&record->request, 0);
	ticket = request >> CONTROL_TICKET_SHIFT;
	if (!ticket)
		return;
	answer = serve(memcg, request & CONTROL_VALUE_MASK, gfp);
	/* Pairs with the acquire by who waits for it. */
	store_release(&record->reply, control_word(ticket, answer));
}

static void run_all(gfp_t gfp)
{
	struct mem_cgroup *memcg;

	/*
	 * Before the look at ->request: who asks stores that first, with release, so it
	 * is found, or there is another number to be seen.
	 */
	WRITE_ONCE(control_seen, load_acquire(&counters_header()->requests));
	for (memcg = mem_cgroup_iter(NULL, NULL, NULL); memcg;
	     memcg = mem_cgroup_iter(NULL, memcg, NULL))
		run_request(memcg, gfp);
}

void control_run(gfp_t gfp)
{
	bool none = false;

	gfp = memalloc_gfp(gfp);
	if (memalloc_is_noreclaim() || !(gfp & __GFP_DIRECT_RECLAIM) || rcu_read_ongoing())
		return;
	counters_own();
	if (!cmpxchg_acquire(&running, &none, true))
		return; /* he looks again, or whoever comes next does */
	while (control_pending())
		run_all(gfp);
	store_release(&running, false);
}

uint32_t *control_doorbell(void)
{
	return &counters_header()->doorbell;
}

void control_fork_child(void)
{
	struct mem_cgroup *memcg;

	WRITE_ONCE(running, false);
	WRITE_ONCE(control_seen, READ_ONCE(counters_header()->requests));
	for_each_memcg (memcg, &root_memcg)
		WRITE_ONCE(memcg->memory.record->request, 0);
}
