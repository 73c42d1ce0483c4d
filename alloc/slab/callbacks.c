/* SPDX-License-Identifier: MIT */
/*
 * Callbacks of the program amid an allocation.
 *
 * The thread may be anywhere between two steps of it: an object is on the freelist
 * and not popped, a stock is being filled, a heap is visited. So what it has is put
 * aside whole, as if another thread went on: with a task of its own, and a heap of the
 * process's group that the task has claimed. What callbacks free of the thread's own
 * objects goes the way of all frees from elsewhere.
 */
#include <errno.h>

#include "accounting/memalloc.h"
#include "alloc/slab/task.h"

bool task_is_own(const struct task *task)
{
	const struct task *own = current_task;

	while (own && own != task)
		own = own->outer;
	return own;
}

bool task_keeps(const struct heap *heap)
{
	const struct task *own;

	if (heap == current_heap)
		return true;
	for (own = current_task; own; own = own->outer)
		if (heap == own->home_heap || (own->outer && heap == own->outer_heap))
			return true;
	return false;
}

/* A task, and a heap for it; or NULL. */
static struct task *begin(struct heap **heap)
{
	struct task *task;

	if (task_has_ended() || (!current_task && !task_begin_heap()))
		return NULL;
	task = task_create(false);
	if (!task)
		return NULL;
	task->outer = current_task;
	task->outer_heap = current_heap;
	task->pinned = 1;
	*heap = heap_claim(process_memcg, task);
	if (*heap)
		return task;
	task_free(task);
	return NULL;
}

bool task_begin_callbacks(struct task_scope *scope)
{
	int saved_errno = errno;
	struct heap *heap = NULL;

	scope->task = begin(&heap);
	errno = saved_errno;
	if (!scope->task)
		return false;
	current_task = scope->task;
	current_heap = heap;
	scope->flags = memalloc_noreclaim_save();
	return true;
}

void task_end_callbacks(struct task_scope *scope)
{
	int saved_errno = errno;
	struct task *task = scope->task;
	struct heap *heap = current_heap;

	memalloc_noreclaim_restore(scope->flags);
	current_heap = task->outer_heap;
	current_task = task->outer;
	task_give_back(task, heap);
	errno = saved_errno;
}

bool task_run_callback(void (*fn)(void *arg), void *arg)
{
	struct task_scope scope;

	if (!task_begin_callbacks(&scope))
		return false;
	fn(arg);
	task_end_callbacks(&scope);
	return true;
}
