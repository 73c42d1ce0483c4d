/* SPDX-License-Identifier: MIT */
#include "alloc/slab/task.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>

#include "alloc/base/message.h"
#include "alloc/base/meta.h"
#include "alloc/pages/page_run.h"
#include "alloc/slab/count.h"
#include "alloc/slab/helper_thread.h"
#include "alloc/slab/purger.h"

__thread struct task *current_task;

/* Set in a thread whose task has been freed: from then on heaps are lent. */
static __thread bool task_ended __attribute__((tls_model("initial-exec")));

/* Set in a thread of ours: its task, if any, is not one of the program's. */
static __thread bool task_helps __attribute__((tls_model("initial-exec")));

/* How many calls use the lent heap, one within the other; the last gives it back. */
static __thread unsigned int lent __attribute__((tls_model("initial-exec")));

struct lock task_list_lock = LOCK_INIT(LOCK_RANK_TASKS);
struct list_head task_list = LIST_HEAD_INIT(task_list);
static uint32_t nr_keepers; /* task_list_lock: tasks that keep the process */

struct mem_cgroup *(*task_choose_home)(void);

static uint32_t home_generation; /* atomic: bumped by task_choose_again() */
static pthread_key_t task_key;	 /* its destructor is task_exit() */

static void task_exit(void *arg);

/* ---- Threads of a group ------------------------------------------------- */

static bool is_home(const struct mem_cgroup *memcg)
{
	struct task *task;
	bool found = false;

	rcu_read_lock();
	lock(&task_list_lock);
	list_for_each_entry (task, &task_list, list) {
		/* Kept from going by RCU; pairs with mem_cgroup_attach(). */
		found = mem_cgroup_is_descendant(load_acquire(&task->home), memcg);
		if (found)
			break;
	}
	unlock(&task_list_lock);
	rcu_read_unlock();
	return found;
}

/* memcg_ops.has_threads */
static bool memcg_has_threads(struct mem_cgroup *memcg)
{
	struct mem_cgroup *pos;

	if (is_home(memcg))
		return true;
	for_each_memcg (pos, memcg)
		if (memcg_has_owned_heap(pos))
			return true;
	return false;
}

/* memcg_ops.note_stall */
static void task_note_stall(bool stalled)
{
	if (current_task)
		WRITE_ONCE(current_task->stalled, stalled);
}

/* memcg_ops.has_running */
static bool memcg_has_running(struct mem_cgroup *memcg)
{
	struct task *task;
	bool found = false;

	rcu_read_lock();
	lock(&task_list_lock);
	list_for_each_entry (task, &task_list, list) {
		/*
		 * Not ours, and not those of callbacks. The group is kept from going by
		 * RCU; the acquire pairs with task_switch().
		 */
		found = task->keeps_process && !READ_ONCE(task->stalled) &&
			mem_cgroup_is_descendant(load_acquire(&task->inside), memcg);
		if (found)
			break;
	}
	unlock(&task_list_lock);
	rcu_read_unlock();
	return found;
}

/* ---- Start -------------------------------------------------------------- */

static void slab_init_once(void)
{
	memcg_ops.close_heaps = memcg_close_heaps;
	memcg_ops.open_heaps = memcg_open_heaps;
	memcg_ops.release_heaps = memcg_release_heaps;
	memcg_ops.hold_spans = slab_hold_spans;
	memcg_ops.has_threads = memcg_has_threads;
	memcg_ops.note_stall = task_note_stall;
	memcg_ops.has_running = memcg_has_running;
	memcg_ops.count_slabs = slab_count_all;
	memcg_ops.recover_fork = slab_recover_fork;
	memcg_ops.settle_fork = slab_settle_fork;
	memcg_ops.run_callback = task_run_callback;
	helper_threads_init();
	if (page_runs_init() || slab_table_init() || mem_cgroups_init())
		die("no memory to start");
	kmem_caches_init(); /* asks how long slabs may be */
	if (pthread_key_create(&task_key, task_exit))
		die("no thread-specific key is left");
}

void slab_init(void)
{
	static int state; /* 0 not yet, 1 under way, 2 done */
	int start = 0;

	if (likely(load_acquire(&state) == 2))
		return;
	if (cmpxchg_acquire(&state, &start, 1)) {
		slab_init_once(); /* does not allocate through us */
		store_release(&state, 2);
		return;
	}
	while (load_acquire(&state) != 2)
		sched_yield();
}

/* ---- A thread's life ---------------------------------------------------- */

static struct heap **hint_of(struct task *task, struct mem_cgroup *memcg)
{
	size_t i = ((uintptr_t)memcg >> 6) % TASK_HINTS;

	if (task->hints[i].memcg != memcg) {
		task->hints[i].memcg = memcg;
		task->hints[i].heap = NULL;
	}
	return &task->hints[i].heap;
}

/* The heap that the task has kept there, if @memcg is its home. */
static struct heap *task_come_home(struct task *task, struct mem_cgroup *memcg)
{
	struct heap *heap = task->home_heap;

	if (!heap || heap->memcg != memcg)
		return NULL;
	task->home_heap = NULL;
	if (unlikely(heap_has_remote(heap)))
		heap_collect_own(heap);
	return heap;
}

static noinline struct heap *task_claim_any(struct task *task, struct mem_cgroup *memcg,
					    struct heap **hint)
{
	int saved_errno = errno;
	struct heap *heap = heap_claim(memcg, task);

	if (!heap)
		return NULL;
	*hint = heap;
	purger_start_in_alloc(); /* there may be many heaps, and nobody allocates */
	errno = saved_errno;
	return heap;
}

/* A heap of @memcg for the task; NULL with errno set, which is left alone otherwise. */
static inline struct heap *task_claim(struct task *task, struct mem_cgroup *memcg)
{
	struct heap *heap = task_come_home(task, memcg);
	struct heap **hint;

	if (heap)
		return heap;
	hint = hint_of(task, memcg);
	if (*hint && heap_claim_again(memcg, task, *hint))
		return *hint;
	return task_claim_any(task, memcg, hint);
}

/*
 * Lets go of a heap. That of its home the thread keeps while it is elsewhere, so that
 * it comes back without an atomic: the home cannot be removed meanwhile.
 */
static void task_leave(struct task *task, struct heap *heap)
{
	heap_pass_on(heap);
	if (heap->memcg == task->home && !task->home_heap)
		task->home_heap = heap;
	else
		heap_park(heap);
}

/* Another home is to come. */
static void task_leave_home(struct task *task)
{
	struct heap *heap = task->home_heap;

	task->home_heap = NULL;
	if (heap)
		heap_return(heap);
}

struct task *task_create(bool keeps_process)
{
	struct task *task = meta_alloc(sizeof(*task));

	if (!task)
		return NULL;
	task->home = process_memcg;
	task->inside = process_memcg;
	mem_cgroup_get(task->home);
	task->keeps_process = keeps_process;
	lock(&task_list_lock);
	list_add_tail(&task->list, &task_list);
	nr_keepers += keeps_process;
	unlock(&task_list_lock);
	return task;
}

void task_unlist(struct task *task)
{
	list_del_init(&task->list);
	nr_keepers -= task->keeps_process;
}

bool task_free(struct task *task)
{
	bool last;

	for (int i = 0; i < TASK_STOCKS; i++)
		obj_stock_detach(&task->stocks[i]);
	lock(&task_list_lock);
	task_unlist(task);
	last = task->keeps_process && !nr_keepers;
	unlock(&task_list_lock);
	mem_cgroup_put(task->home); /* is_home() does not find it any more */
	meta_free(task, sizeof(*task));
	return last;
}

void task_choose_again(void)
{
	atomic_add(&home_generation, 1);
}

static void task_choose(struct task *task)
{
	struct mem_cgroup *home;

	task->home_generation = READ_ONCE(home_generation);
	if (!task_choose_home || task_helps)
		return;
	home = task_choose_home();
	if (!home)
		return;
	mem_cgroup_attach(home);
	mem_cgroup_put(home);
}

/* In process_memcg first; choosing a home may allocate. */
static struct heap *task_start(struct task *task)
{
	struct heap *heap = task_claim(task, process_memcg);

	if (!heap)
		return NULL;
	/* Ready from here on: what follows may allocate. */
	current_task = task;
	current_heap = heap;
	if (pthread_setspecific(task_key, task))
		die("no memory for a thread");
	task_choose(task);
	return current_heap;
}

struct heap *task_begin_heap(void)
{
	struct heap *heap = current_heap;
	struct task *task;

	if (likely(heap != &heap_none)) {
		task = current_task;
		if (unlikely(lent))
			lent++;
		else if (unlikely(task->home_generation != READ_ONCE(home_generation)) &&
			 !task->pinned)
			task_choose(task);
		return current_heap;
	}
	slab_init();
	rcu_take_in_thread(); /* may allocate, and so come here before us */
	if (unlikely(current_heap != &heap_none))
		return task_begin_heap();
	if (task_ended) {
		heap = heap_claim(process_memcg, HEAP_BORROWED);
		if (heap) {
			current_heap = heap;
			lent = 1;
		}
		return heap;
	}
	task = task_create(!task_helps);
	heap = task ? task_start(task) : NULL;
	if (!heap) {
		if (task)
			task_free(task);
		errno = ENOMEM;
	}
	return heap;
}

void task_end_heap(struct heap *heap)
{
	if (likely(!lent) || --lent)
		return;
	heap_pass_on(heap);
	current_heap = &heap_none;
	heap_return(heap);
}

static void give_all_back(struct heap *heap)
{
	heap_trim(heap, NULL);
	obj_stock_settle(&heap->stock);
}

/* What is in the heap stays there, for the next; bytes do not. */
static void heap_settle(struct heap *heap)
{
	heap_pass_on(heap);
	obj_stock_settle(&heap->stock);
}

void task_settle_stocks(void)
{
	struct task *task = current_task;

	if (!task)
		return;
	for (int i = 0; i < TASK_STOCKS; i++)
		obj_stock_detach(&task->stocks[i]);
	heap_settle(current_heap);
}

void task_none(void)
{
	task_ended = true;
}

void task_help(void)
{
	task_helps = true;
}

bool task_has_ended(void)
{
	return task_ended || lent;
}

/* All that the task has; the heaps are parked. */
static bool task_end(struct task *task, struct heap *heap)
{
	task_leave_home(task);
	heap_return(heap);
	return task_free(task);
}

void task_give_back(struct task *task, struct heap *heap)
{
	if (task->home_heap)
		heap_settle(task->home_heap);
	heap_settle(heap);
	task_end(task, heap);
}

static void task_exit(void *arg)
{
	struct task *task = arg;
	struct heap *heap = current_heap;

	if (task != current_task)
		die("a thread has ended within a callback");
	rcu_take_in_thread(); /* liburcu may have let it go already */
	if (task->home_heap)
		give_all_back(task->home_heap);
	give_all_back(heap);
	current_heap = &heap_none;
	current_task = NULL;
	task_ended = true;
	if (task_end(task, heap))
		helper_threads_stop();
}

/* ---- Stocks for others' objects ----------------------------------------- */

static struct obj_stock *stock_of(struct task *task, struct obj_cgroup *objcg)
{
	if (current_heap->stock.objcg == objcg)
		return &current_heap->stock;
	return &task->stocks[((uintptr_t)objcg >> 6) % TASK_STOCKS];
}

struct obj_stock *task_stock(struct obj_cgroup *objcg)
{
	struct obj_stock *stock;

	/* A thread may free before it allocates for the first time. */
	if (unlikely(!current_task) && (task_ended || !task_begin_heap()))
		return NULL;
	stock = stock_of(current_task, objcg);
	if (obj_stock_objcg(stock) == objcg)
		return stock;
	obj_stock_detach(stock);
	obj_stock_attach(stock, objcg);
	return stock;
}

struct obj_stock *task_stock_for_free(struct obj_cgroup *objcg)
{
	struct task *task = current_task;
	struct obj_cgroup *in_place = task ? obj_stock_objcg(stock_of(task, objcg)) : NULL;

	if (in_place && in_place != objcg && task->missed != objcg) {
		task->missed = objcg;
		return NULL;
	}
	return task_stock(objcg);
}

/* ---- Groups of the calling thread --------------------------------------- */

/*
 * What the first allocations in a group that the thread has not been in lately
 * will wait for: the first free object of each of the small classes.
 */
#define WARM_CLASSES 24 /* up to 2 KiB */

static void warm_up(const struct heap *heap)
{
	for (unsigned int class = 0; class < WARM_CLASSES; class ++)
		__builtin_prefetch(heap->slots[class].freelist, 1);
}

/* Leaves the group the thread is in for @memcg. Returns 0 or -errno. */
static int task_switch(struct task *task, struct mem_cgroup *memcg)
{
	struct heap *old = current_heap;
	struct heap *heap;

	if (old->memcg == memcg)
		return 0;
	heap = task_claim(task, memcg);
	if (unlikely(!heap))
		return -errno;
	if (heap != task->left)
		warm_up(heap);
	task->left = old;
	current_heap = heap;
	/* Before the old group may go; pairs with memcg_has_running(). */
	store_release(&task->inside, memcg);
	task_leave(task, old);
	return 0;
}

struct heap *task_visit(struct mem_cgroup *memcg)
{
	struct heap *home, *heap;

	if (unlikely(task_ended)) {
		errno = ENODEV;
		return NULL;
	}
	if (unlikely(!current_task) && !task_begin_heap())
		return NULL;
	home = current_heap;
	if (home->memcg == memcg)
		return home;
	heap = task_claim(current_task, memcg);
	if (!heap)
		return NULL;
	current_task->pinned++; /* it stays there, whatever home it may choose */
	current_heap = heap;
	return home;
}

void task_end_visit(struct heap *home)
{
	struct heap *heap = current_heap;

	if (heap == home)
		return;
	current_heap = home;
	current_task->pinned--;
	if (heap->memcg == current_task->home) {
		task_leave(current_task, heap);
	} else {
		heap_pass_on(heap);
		heap_return(heap);
	}
}

static int task_switch_home(struct task *task)
{
	int err = task_switch(task, task->home);

	/* The home was removed while the thread was elsewhere. */
	if (unlikely(err))
		err = task_switch(task, process_memcg);
	return err;
}

struct mem_cgroup *set_active_memcg(struct mem_cgroup *memcg)
{
	struct mem_cgroup *old;
	struct task *task;
	int err;

	if (unlikely(task_ended)) {
		errno = ENODEV;
		return NULL;
	}
	if (unlikely(!current_task) && !task_begin_heap())
		return NULL;
	task = current_task;
	old = task->active;
	err = memcg ? task_switch(task, memcg) : task_switch_home(task);
	if (unlikely(err)) {
		errno = -err;
		return old;
	}
	task->active = memcg;
	return old;
}

struct mem_cgroup *mem_cgroup_current(void)
{
	struct heap *heap = task_begin_heap();
	struct mem_cgroup *memcg = heap ? heap->memcg : process_memcg;

	if (heap)
		task_end_heap(heap);
	return memcg;
}

int mem_cgroup_attach(struct mem_cgroup *memcg)
{
	struct mem_cgroup *home, *old;
	struct task *task;
	int err = 0;

	if (task_ended)
		return -ENODEV;
	if (!current_task && !task_begin_heap())
		return -ENOMEM;
	task = current_task;
	home = memcg ? memcg : process_memcg;
	if (!mem_cgroup_tryget_online(home)) /* the task's */
		return -ENODEV;
	if (!task->active)
		err = task_switch(task, home);
	if (err) {
		mem_cgroup_put(home);
		return err;
	}
	task_leave_home(task);
	old = task->home;
	store_release(&task->home, home); /* pairs with is_home() */
	mem_cgroup_put(old);
	return 0;
}
