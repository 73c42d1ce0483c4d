/* SPDX-License-Identifier: MIT */
/*
 * What belongs to a thread: the heap it owns, the group it is in, and stocks
 * for the groups whose objects it frees.
 */
#ifndef ALLOC_SLAB_TASK_H
#define ALLOC_SLAB_TASK_H

#include "alloc/slab/heap.h"

#define TASK_HINTS  4
#define TASK_STOCKS 8

struct task {
	struct mem_cgroup *active; /* set_active_memcg()'s; NULL: home */
	struct mem_cgroup *home;   /* holds a reference */
	struct heap *home_heap;	   /* owned, while the thread is elsewhere; or NULL */
	uint32_t home_generation;  /* as of which home was chosen */
	uint32_t pinned;	   /* constructors or callbacks at work: no other home */
	bool keeps_process;	   /* const: of a thread of the program; task_list_lock counts */
	bool stalled;		   /* atomic: waits for memory; see psi.h */
	struct mem_cgroup *inside; /* atomic, for others to see: that of its heap */
	/* Const: what the thread has put aside for callbacks; see callbacks.c. */
	struct task *outer;
	struct heap *outer_heap;
	/* Where its heap was when it last left a group; may be stale. */
	struct {
		struct mem_cgroup *memcg;
		struct heap *heap;
	} hints[TASK_HINTS];
	/* For groups other than the heap's, by hash; detached: objcg NULL. */
	struct obj_stock stocks[TASK_STOCKS];
	struct obj_cgroup *missed; /* whose stock a free last missed; by address only */
	struct heap *left;	   /* the heap before this one, by address only */
	struct list_head list;	   /* task_list_lock */
};

/* The calling thread's; NULL before its first slow path and after its end. */
extern __thread struct task *current_task __attribute__((tls_model("initial-exec")));

/*
 * Chooses the home group of a new thread: a reference, or NULL for
 * process_memcg. Set by the layer above, or not.
 */
extern struct mem_cgroup *(*task_choose_home)(void);

/* Makes every thread choose its home again, on its next slow path. */
void task_choose_again(void);

/*
 * The calling thread's heap, made if there is none. A thread that has ended
 * its own life in our eyes, but still runs destructors, gets one for a moment:
 * task_end_heap() gives that back. NULL with errno ENOMEM.
 */
struct heap *task_begin_heap(void);
void task_end_heap(struct heap *heap);

/* The calling thread gets no task, ever: should it allocate, a heap is lent to it. */
void task_none(void);

/*
 * The calling thread is one of ours: it may have a task, which does not keep the
 * process from ending, and its home is the process's group.
 */
void task_help(void);

/*
 * From begin to end the calling thread runs callbacks of the program, amid whatever it
 * was doing: its heaps, its group and its stocks stay as they are, and it has others,
 * in the process's group. It may enter groups; the end takes it back. Charges are
 * forced, as in memalloc_noreclaim_save(). May be nested. No lock is held, and no read
 * section of RCU is under way. False, and no callback may run, in a thread whose task
 * has ended, or without memory. errno is kept.
 */
struct task_scope {
	struct task *task; /* of the callbacks */
	unsigned int flags;
};

bool task_begin_callbacks(struct task_scope *scope);
void task_end_callbacks(struct task_scope *scope);

/*
 * What the calling thread has in stock goes back, so that what it has freed shows in
 * the usage of the groups: also that of the heap it is in.
 */
void task_settle_stocks(void);

/* The steps of a task's life, for callbacks.c. */
struct task *task_create(bool keeps_process);
bool task_free(struct task *task); /* whether it was the last that kept the process */
void task_give_back(struct task *task, struct heap *heap); /* and its heaps are parked */
bool task_has_ended(void);

/* Takes it off the list. task_list_lock, or nobody else is there. */
void task_unlist(struct task *task);

/* memcg_ops.run_callback */
bool task_run_callback(void (*fn)(void *arg), void *arg);

/*
 * Takes the calling thread to @memcg for a moment, with a heap of that, without
 * leaving the group it is in: its heap there stays its own. Returns it, for
 * task_end_visit(), or NULL with errno ENODEV or ENOMEM.
 */
struct heap *task_visit(struct mem_cgroup *memcg);
void task_end_visit(struct heap *home);

/*
 * A stock of the calling thread attached to @objcg; NULL for a thread that has
 * ended in our eyes, or without memory. The caller knows of a reference.
 */
struct obj_stock *task_stock(struct obj_cgroup *objcg);

/*
 * The same for a free. One that would take the place of another's gets NULL the first
 * time: to uncharge an object without is cheaper than to detach and attach a stock.
 */
struct obj_stock *task_stock_for_free(struct obj_cgroup *objcg);

/* Whether the heap is the calling thread's to use: where it is now, or at home. */
static inline bool task_owns(const struct heap *heap)
{
	return heap == current_heap || (current_task && heap == current_task->home_heap);
}

/* Whether the task, or the heap, is the calling thread's, in use or put aside. */
bool task_is_own(const struct task *task);
bool task_keeps(const struct heap *heap);

/* Makes everything ready; called by the first allocation. */
void slab_init(void);

extern struct lock task_list_lock;
extern struct list_head task_list;

#endif
