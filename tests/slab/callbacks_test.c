/* SPDX-License-Identifier: MIT */
/* Callbacks of the program amid an allocation: what they may do to the thread. */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <cgslab/slab.h>

#include "accounting/memalloc.h"
#include "alloc/slab/task.h"
#include "tests/slab/child.h"

static struct mem_cgroup *memcg;

static void make(void)
{
	memcg = mem_cgroup_create(NULL, "callbacks");
	cr_assert_not_null(memcg);
	set_active_memcg(memcg);
}

static void check(void)
{
	cr_expect_eq(mem_cgroup_verify(mem_cgroup_root(), NULL), 0);
}

static uint64_t usage(void)
{
	return mem_cgroup_usage(memcg);
}

/* ---- What the thread has stays its own --------------------------------------- */

Test(callbacks, put_aside_what_the_thread_has, .init = make, .fini = check)
{
	struct task *task = current_task;
	struct heap *heap;
	struct task_scope scope;
	void *object = kmalloc(64, GFP_KERNEL), *first;

	task = current_task;
	heap = current_heap;
	kfree(object);
	first = heap->slots[size_class(64)].freelist;
	errno = 12345;
	cr_assert(task_begin_callbacks(&scope));
	cr_expect_eq(errno, 12345);
	cr_expect_neq(current_task, task);
	cr_expect_neq(current_heap, heap);
	cr_expect_eq(mem_cgroup_current(), process_memcg);
	cr_expect_null(set_active_memcg(NULL), "and has entered nothing");
	cr_expect_eq(heap->owner, task, "nobody else gets it");
	for (int i = 0; i < 1000; i++)
		kfree(kmalloc(64, GFP_KERNEL));
	task_end_callbacks(&scope);
	cr_expect_eq(current_task, task);
	cr_expect_eq(current_heap, heap);
	cr_expect_eq(heap->slots[size_class(64)].freelist, first);
	cr_expect_eq(mem_cgroup_current(), memcg);
	cr_expect_eq(set_active_memcg(memcg), memcg);
}

Test(callbacks, have_a_heap_of_their_own_in_the_same_group, .fini = check)
{
	struct task_scope scope;
	struct heap *heap;

	kfree(kmalloc(64, GFP_KERNEL)); /* in the process's group */
	heap = current_heap;
	cr_assert(task_begin_callbacks(&scope));
	cr_expect_neq(current_heap, heap);
	cr_expect_eq(current_heap->memcg, process_memcg);
	task_end_callbacks(&scope);
	cr_expect_eq(current_heap, heap);
}

Test(callbacks, may_leave_groups_entered, .init = make, .fini = check)
{
	struct mem_cgroup *there = mem_cgroup_create(NULL, "there");
	struct task_scope scope;

	cr_assert(task_begin_callbacks(&scope));
	set_active_memcg(there);
	cr_assert_not_null(kmalloc(100, GFP_KERNEL));
	cr_expect_eq(mem_cgroup_rmdir(there), -EBUSY);
	mem_cgroup_attach(there);
	task_end_callbacks(&scope);
	cr_expect_eq(mem_cgroup_current(), memcg);
	cr_expect_eq(mem_cgroup_rmdir(there), 0, "nobody is inside any more");
	mem_cgroup_put(there);
	set_active_memcg(NULL);
	cr_expect_eq(mem_cgroup_current(), process_memcg, "the home is what it was");
}

Test(callbacks, free_objects_of_the_heap_put_aside, .init = make, .fini = check)
{
	void *objects[1000], *span = kmalloc(1 << 20, GFP_KERNEL);
	struct task_scope scope;
	uint64_t before;

	for (int i = 0; i < 1000; i++)
		objects[i] = kmalloc(1000, GFP_KERNEL);
	before = usage();
	cr_assert(task_begin_callbacks(&scope));
	for (int i = 0; i < 1000; i++)
		kfree(objects[i]);
	kfree(span);
	task_settle_stocks();
	cr_expect_leq(usage(), before - 1000 * 1000 - (1 << 20) + 4096, "it shows at once");
	task_end_callbacks(&scope);
	for (int i = 0; i < 1000; i++) {
		objects[i] = kmalloc(1000, GFP_KERNEL);
		memset(objects[i], i, 1000);
	}
}

Test(callbacks, show_what_they_freed_when_they_end, .init = make, .fini = check)
{
	static void *objects[2][1000];
	struct task_scope scope;
	uint64_t before, before_process;

	for (int i = 0; i < 1000; i++) {
		set_active_memcg(NULL);
		objects[0][i] = kmalloc(500, GFP_KERNEL);
		set_active_memcg(memcg);
		objects[1][i] = kmalloc(500, GFP_KERNEL);
	}
	before = usage();
	before_process = mem_cgroup_usage(process_memcg);
	cr_assert(task_begin_callbacks(&scope));
	for (int i = 0; i < 1000; i++) {
		kfree(objects[0][i]);
		kfree(objects[1][i]);
	}
	task_end_callbacks(&scope);
	cr_expect_leq(usage(), before - 500 * 1000 + 4096);
	cr_expect_leq(mem_cgroup_usage(process_memcg), before_process - 2 * 500 * 1000 + 2 * 4096);
}

/* ---- Nesting, charges ----------------------------------------------------------- */

Test(callbacks, may_be_nested, .init = make, .fini = check)
{
	struct heap *outer, *inner;
	struct task_scope one, two;

	kfree(kmalloc(64, GFP_KERNEL));
	outer = current_heap;
	cr_assert(task_begin_callbacks(&one));
	inner = current_heap;
	cr_assert(task_begin_callbacks(&two));
	cr_expect_neq(current_heap, inner);
	cr_expect_neq(current_heap, outer);
	cr_expect(task_keeps(outer) && task_keeps(inner) && task_keeps(current_heap));
	task_end_callbacks(&two);
	cr_expect_eq(current_heap, inner);
	cr_expect(memalloc_is_noreclaim());
	task_end_callbacks(&one);
	cr_expect_eq(current_heap, outer);
	cr_expect_not(memalloc_is_noreclaim());
}

Test(callbacks, are_not_refused_memory, .init = make, .fini = check)
{
	struct task_scope scope;

	mem_cgroup_set_max(memcg, 4096);
	cr_assert_null(kmalloc(8192, GFP_KERNEL));
	cr_assert(task_begin_callbacks(&scope));
	set_active_memcg(memcg);
	cr_expect_not_null(kmalloc(8192, GFP_KERNEL));
	task_end_callbacks(&scope);
	cr_expect_null(kmalloc(8192, GFP_KERNEL));
}

/* ---- Where there can be none ------------------------------------------------------ */

static pthread_key_t key;
static int in_destructor;

static void late(void *arg)
{
	struct task_scope scope;

	/* Again, until the library's own key has been destroyed. */
	if (in_destructor++ < 2) {
		pthread_setspecific(key, arg);
		return;
	}
	if (!current_task) {
		in_destructor = 100;
		cr_expect_not(task_begin_callbacks(&scope));
		cr_expect_not(memalloc_is_noreclaim());
	}
}

static void *end_late(void *arg)
{
	kfree(kmalloc(64, GFP_KERNEL));
	pthread_setspecific(key, arg);
	return NULL;
}

Test(callbacks, none_in_a_thread_that_has_ended, .init = make, .fini = check)
{
	pthread_t thread;

	pthread_key_create(&key, late);
	pthread_create(&thread, NULL, end_late, &key);
	pthread_join(thread, NULL);
	cr_expect_eq(in_destructor, 100);
}

static void *begin_first(void *arg)
{
	struct task_scope scope;

	cr_expect_null(current_task);
	*(bool *)arg = task_begin_callbacks(&scope);
	if (*(bool *)arg)
		task_end_callbacks(&scope);
	cr_expect_not_null(current_task, "it has begun one of its own");
	return NULL;
}

Test(callbacks, may_be_the_first_a_thread_does, .init = make, .fini = check)
{
	pthread_t thread;
	bool could;

	pthread_create(&thread, NULL, begin_first, &could);
	pthread_join(thread, NULL);
	cr_expect(could);
}

static void end_thread(void *arg)
{
	(void)arg;
	pthread_exit(NULL);
}

static void *end_within(void *arg)
{
	kfree(kmalloc(64, GFP_KERNEL));
	task_run_callback(end_thread, arg);
	return NULL;
}

Test(callbacks, may_not_end_the_thread, .signal = SIGABRT)
{
	pthread_t thread;

	pthread_create(&thread, NULL, end_within, NULL);
	pthread_join(thread, NULL);
}

/* ---- fork --------------------------------------------------------------------------- */

static void *kept[100];

static struct heap *outer_heap;
static struct task *outer_task;
static struct task_scope forked_scope;

static void allocate_in_child(void)
{
	for (int i = 0; i < 100; i++)
		kept[i] = kmalloc(100 + (size_t)i, GFP_KERNEL);
	CHILD_CHECK(kept[99]);
	child_verify();
}

/* Within callbacks; then the thread goes on with what it had put aside. */
static void go_on_in_child(void)
{
	allocate_in_child();
	CHILD_CHECK(outer_heap->owner == outer_task);
	task_end_callbacks(&forked_scope);
	CHILD_CHECK(current_heap == outer_heap && current_task == outer_task);
	CHILD_CHECK(mem_cgroup_current() == memcg);
	allocate_in_child();
}

static void *idle(void *arg)
{
	kfree(kmalloc(100, GFP_KERNEL));
	pthread_barrier_wait(arg);
	pause();
	return NULL;
}

Test(callbacks, go_on_in_a_forked_child, .init = make, .fini = check)
{
	pthread_barrier_t barrier;
	pthread_t thread;

	pthread_barrier_init(&barrier, NULL, 2);
	pthread_create(&thread, NULL, idle, &barrier);
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < 100; i++)
		kept[i] = kmalloc(100, GFP_KERNEL);
	outer_heap = current_heap;
	outer_task = current_task;
	cr_assert(task_begin_callbacks(&forked_scope));
	cr_expect_eq(child_run(fork, go_on_in_child), 0);
	task_end_callbacks(&forked_scope);
	pthread_cancel(thread);
	pthread_join(thread, NULL);
}
