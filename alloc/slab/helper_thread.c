/* SPDX-License-Identifier: MIT */
#include "alloc/slab/helper_thread.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "alloc/base/os.h"
#include "alloc/slab/task.h"

/* After a failure, and in a child that is perhaps about to call exec. */
#define RETRY_MS 1000

static pid_t process;		      /* of this process; not that of a vfork child */
static struct helper_thread *helpers; /* atomic: pushed, and never taken off */
static uint64_t not_before;	      /* of os_clock_ms(): of any, in a forked child */

void helper_threads_init(void)
{
	process = getpid();
}

static bool is_limited(int resource)
{
	struct rlimit limit;

	return getrlimit((__rlimit_resource_t)resource, &limit) == 0 &&
	       limit.rlim_cur != RLIM_INFINITY;
}

/* The program shall have what there is, not a stack of ours. */
static bool memory_is_scarce(void)
{
	return is_limited(RLIMIT_AS) || is_limited(RLIMIT_DATA);
}

static void *helper_run(void *arg)
{
	struct helper_thread *helper = arg;

	/* Not our prctl(): the name of this thread makes no group. */
	syscall(SYS_prctl, PR_SET_NAME, helper->name, 0, 0, 0);
	if (helper->has_task)
		task_help();
	else
		task_none();
	rcu_take_in_thread();
	helper->run();
	store_release(&helper->started, false); /* pairs with the swap in helper_thread_start() */
	return NULL;
}

/* Signals are for the program's threads. */
static int create_blocked(const pthread_attr_t *attr, struct helper_thread *helper)
{
	sigset_t all, old;
	pthread_t thread;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&thread, attr, helper_run, helper);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -err;
}

static int create_thread(struct helper_thread *helper)
{
	/* What libc allocates for it is the process's, not that of the group at work. */
	struct heap *home = task_visit(process_memcg);
	pthread_attr_t attr;
	int err = -EAGAIN;

	if (!home)
		return -ENOMEM;
	if (!pthread_attr_init(&attr)) {
		pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
		pthread_attr_setstacksize(&attr, helper->stack_size);
		err = create_blocked(&attr, helper);
		pthread_attr_destroy(&attr);
	}
	task_end_visit(home);
	return err;
}

/* Who starts it. */
static void list_helper(struct helper_thread *helper)
{
	if (helper->listed)
		return;
	helper->listed = true;
	helper->next = READ_ONCE(helpers);
	while (!cmpxchg_release(&helpers, &helper->next, helper)) /* pairs with first() */
		;
}

static struct helper_thread *first(void)
{
	return load_acquire(&helpers);
}

static bool start(struct helper_thread *helper)
{
	if (getpid() != process || (helper->modest && memory_is_scarce()))
		return false;
	list_helper(helper);
	return !create_thread(helper);
}

int helper_thread_start(struct helper_thread *helper)
{
	int saved_errno = errno;
	bool none = false, started;

	if (load_acquire(&helper->started))
		return 0;
	/* Who has a task stops it at the end: else the process would not end. */
	if (!current_task ||
	    os_clock_ms() < max_t(uint64_t, READ_ONCE(helper->not_before), not_before))
		return -EAGAIN;
	/* What starts a thread allocates, and so comes here again. */
	if (!cmpxchg_acquire(&helper->started, &none, true))
		return 0;
	started = start(helper);
	if (!started) {
		WRITE_ONCE(helper->not_before, os_clock_ms() + RETRY_MS);
		store_release(&helper->started, false);
	}
	errno = saved_errno;
	return started ? 0 : -EAGAIN;
}

bool helper_thread_is_started(const struct helper_thread *helper)
{
	return load_acquire(&helper->started);
}

void helper_threads_stop(void)
{
	for (struct helper_thread *helper = first(); helper; helper = helper->next)
		if (load_acquire(&helper->started))
			helper->stop();
}

void helper_threads_lost(void)
{
	process = getpid();
	not_before = os_clock_ms() + RETRY_MS;
	for (struct helper_thread *helper = first(); helper; helper = helper->next)
		store_release(&helper->started, false);
}
