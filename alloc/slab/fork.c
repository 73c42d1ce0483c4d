/* SPDX-License-Identifier: MIT */
/*
 * fork() in a program with threads.
 *
 * Every lock is taken before, in rank order, and released after, so slow paths
 * are whole in the child. The fast path knows no locks: each of the parent's
 * other threads may be cut between two of its stores. Its stores happened in
 * order, so a list is whole at every moment; at most one object a thread is
 * popped or pushed and not counted yet, or a remote list not announced. Heaps
 * are marked torn, and set right when they are next used.
 */
#include <pthread.h>

#include "alloc/slab/fork.h"

#include "accounting/psi.h"
#include "alloc/base/meta.h"
#include "alloc/pages/page_run.h"
#include "alloc/slab/count.h"
#include "alloc/slab/helper_thread.h"
#include "alloc/slab/purger.h"
#include "alloc/slab/span.h"
#include "alloc/slab/task.h"
#include "alloc/swap/swap_area.h"

struct fork_ops fork_ops;

static void for_each_heap(void (*fn)(struct heap *heap, void *arg), void *arg)
{
	struct mem_cgroup *memcg;

	for_each_memcg (memcg, &root_memcg)
		for (struct heap *heap = memcg_first_heap(memcg); heap; heap = heap->next)
			fn(heap, arg);
}

static void lock_heap(struct heap *heap, void *arg)
{
	(void)arg;
	lock_nested(&heap->lock);
}

static void unlock_heap(struct heap *heap, void *arg)
{
	(void)arg;
	unlock(&heap->lock);
}

static void lock_stocks(struct obj_cgroup *objcg, void *arg)
{
	struct obj_stock *stock;

	(void)arg;
	list_for_each_entry (stock, &objcg->stocks, list)
		lock_nested(&stock->lock);
}

static void unlock_stocks(struct obj_cgroup *objcg, void *arg)
{
	struct obj_stock *stock;

	(void)arg;
	list_for_each_entry (stock, &objcg->stocks, list)
		unlock(&stock->lock);
}

static void for_each_objcg(void (*fn)(struct obj_cgroup *objcg, void *arg))
{
	struct mem_cgroup *memcg;

	for_each_memcg (memcg, &root_memcg)
		memcg_for_each_objcg(memcg, fn, NULL);
}

static void fork_prepare(void)
{
	rcu_take_in_thread();
	call_rcu_before_fork(); /* waits for callbacks, which take our locks */
	rcu_bp_before_fork();
	span_gate_close(); /* now: who waits for that may be in a read section */
	lock(&removal_lock);
	if (fork_ops.prepare)
		fork_ops.prepare();
	lock(&cgroup_lock);
	lock(&task_list_lock);
	heaps_fork_prepare();
	for_each_heap(lock_heap, NULL);
	obj_cgroups_fork_prepare();
	for_each_objcg(lock_stocks);
	lock(&slab_caches_lock);
	psi_fork_prepare();
	counters_fork_prepare();
	swap_fork_prepare();
	slab_table_fork_prepare();
	page_runs_fork_prepare();
	meta_fork_prepare();
}

static void fork_release(void (*swap_fork_over)(void))
{
	meta_fork_done();
	page_runs_fork_done();
	slab_table_fork_done();
	swap_fork_over();
	counters_fork_done();
	psi_fork_done();
	unlock(&slab_caches_lock);
	for_each_objcg(unlock_stocks);
	obj_cgroups_fork_done();
	for_each_heap(unlock_heap, NULL);
	heaps_fork_done();
	unlock(&task_list_lock);
	unlock(&cgroup_lock);
	if (fork_ops.done)
		fork_ops.done();
	unlock(&removal_lock);
}

static void fork_parent(void)
{
	counters_fork_over();
	fork_release(swap_fork_parent);
	rcu_bp_after_fork_parent();
	span_gate_open();
	call_rcu_after_fork_parent();
}

/*
 * A charge that was cut off on its way to the slow path took more than was
 * charged. It must not come back as if it had been: what is missing is noted
 * as less left over, which is made up for when the lost bytes are settled.
 */
static void settle_overdrawn(struct obj_stock *stock)
{
	if (stock->used > stock->limit)
		obj_stock_settle(stock);
}

/* By a thread that had ended, or by one that looked in for a moment. */
static void return_borrowed_heap(struct heap *heap, void *arg)
{
	uint32_t *lost = arg;

	if (READ_ONCE(heap->owner) != HEAP_BORROWED)
		return;
	heap->torn = true;
	settle_overdrawn(&heap->stock);
	heap_park(heap);
	(*lost)++;
}

static void tear_heap(struct heap *heap, void *arg)
{
	(void)arg;
	heap->torn = true;
	if (task_keeps(heap))
		return;
	settle_overdrawn(&heap->stock);
	heap_park(heap);
}

/* What the lost threads had stays charged; their heaps are for the next. */
static void drop_task(struct task *task)
{
	for (int i = 0; i < TASK_STOCKS; i++)
		obj_stock_detach(&task->stocks[i]);
	task_unlist(task);
	mem_cgroup_put(task->home);
	meta_free(task, sizeof(*task));
}

static void drop_lost_tasks(void)
{
	struct task *task, *tmp;
	uint32_t lost = 0;

	list_for_each_entry_safe (task, tmp, &task_list, list) {
		if (task_is_own(task))
			continue;
		drop_task(task);
		lost++;
	}
	for_each_heap(return_borrowed_heap, &lost);
	if (!lost)
		return;
	for_each_heap(tear_heap, NULL);
	slab_count_forked(lost);
}

static void fork_child(void)
{
	fork_release(swap_fork_child);
	helper_threads_lost();
	purger_lost();
	rcu_bp_after_fork_child();
	spans_fork_child();
	span_gate_open();
	WRITE_ONCE(*counters_owned, 0); /* where the kernel did not */
	/* Without memory this is tried again, if the child uses a counter. */
	if (mem_cgroup_fork_child())
		counters_fork_over();
	memcg_shrinks_fork_child();
	drop_lost_tasks();
	call_rcu_after_fork_child();
}

/* Not by the first allocation, which may come from within pthread_atfork(). */
__attribute__((constructor(101))) static void register_fork(void)
{
	slab_init();
	pthread_atfork(fork_prepare, fork_parent, fork_child);
}
