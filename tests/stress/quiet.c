/* SPDX-License-Identifier: MIT */
#include "tests/stress/quiet.h"

#include <time.h>

#include "accounting/obj_stock.h"
#include "alloc/pages/page_run.h"
#include "alloc/slab/heap.h"
#include "tests/stress/check.h"

#define WATCH_PAUSE_NS 20000000
#define WAITS	       100

void quiet_verify(struct mem_cgroup *memcg)
{
	struct mem_cgroup_identity sum;
	int err = mem_cgroup_verify(memcg, &sum);

	CHECK(!err,
	      "'%s': usage %ld, objects %ld, spans %ld, stocks %ld, leftovers %ld; "
	      "swap usage %ld, swap %ld",
	      mem_cgroup_name(memcg), (long)sum.usage, (long)sum.object_bytes, (long)sum.span_bytes,
	      (long)sum.stock_bytes, (long)sum.leftover_bytes, (long)sum.swap_usage,
	      (long)sum.swap_bytes);
}

void quiet_watch(void)
{
	const struct timespec pause = {.tv_nsec = WATCH_PAUSE_NS};

	quiet_verify(mem_cgroup_root());
	nanosleep(&pause, NULL);
}

static int count_group(struct mem_cgroup *memcg, void *arg)
{
	unsigned int *nr = arg;

	(void)memcg;
	(*nr)++;
	return 0;
}

/* A removed group keeps its record for as long as somebody refers to it. */
static void check_no_dying_groups(void)
{
	const struct counters_header *header = counters_header();
	const struct counters_record *record = (const void *)header;
	unsigned int online = 0, used = 0;

	rcu_barrier();
	mem_cgroup_walk(mem_cgroup_root(), count_group, &online);
	for (uint32_t i = 0; i < header->nr_records; i++)
		used += record[1 + i].state != COUNTERS_UNUSED;
	CHECK(used == online, "%u records, %u groups", used, online);
}

/* What heaps keep for speed goes back. */
static void trim_own(struct rcu_head *head)
{
	(void)head;
	if (current_heap != &heap_none)
		heap_trim(current_heap, NULL);
}

static int trim_parked(struct mem_cgroup *memcg, void *arg)
{
	(void)arg;
	for (struct heap *heap = memcg_first_heap(memcg); heap; heap = heap->next) {
		if (!heap_borrow(heap))
			continue;
		heap_trim(heap, NULL);
		heap_return(heap);
	}
	return 0;
}

static void count_slab(struct slab *slab, void *arg)
{
	(void)slab;
	++*(unsigned int *)arg;
}

/* What is left when all heaps have been trimmed that can be. */
static unsigned int slabs_left(void)
{
	static struct rcu_head head;
	unsigned int slabs = 0;

	call_rcu(&head, trim_own);
	rcu_barrier();
	trim_own(NULL);
	mem_cgroup_walk(mem_cgroup_root(), trim_parked, NULL);
	slab_for_each(count_slab, &slabs);
	return slabs;
}

/*
 * Threads have ended, but for this one, that of RCU callbacks, and those of the library: one
 * of these may be at work, with a heap of its own, and will be done in a moment.
 */
static void check_no_slabs(void)
{
	unsigned int slabs = slabs_left();

	for (int i = 0; slabs && i < WAITS; i++) {
		nanosleep(&(struct timespec){.tv_nsec = WATCH_PAUSE_NS}, NULL);
		slabs = slabs_left();
	}
	CHECK(slabs == 0, "%u slabs are left", slabs);
}

void quiet_end(void)
{
	struct mem_cgroup *root = mem_cgroup_root();
	struct mem_cgroup_stat stat = {.size = sizeof(stat)};

	rcu_barrier();
	check_no_slabs();
	quiet_verify(root);
	memcg_drain_stocks(root);
	quiet_verify(root);
	CHECK(mem_cgroup_usage(root) == 0, "%lu bytes", (unsigned long)mem_cgroup_usage(root));
	CHECK(!mem_cgroup_stat(root, &stat), "stat");
	CHECK(stat.objects == 0, "%lu objects", (unsigned long)stat.objects);
	CHECK(stat.object_bytes == 0, "%lu bytes", (unsigned long)stat.object_bytes);
	CHECK(stat.span_bytes == 0, "%lu bytes", (unsigned long)stat.span_bytes);
	check_no_dying_groups();
	page_runs_validate();
}
