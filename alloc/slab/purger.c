/* SPDX-License-Identifier: MIT */
#include "alloc/slab/purger.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/single_threaded.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "alloc/base/os.h"
#include "alloc/slab/task.h"

#define STACK_SIZE (256ul << 10)

/* After a failure, and in a child that is perhaps about to call exec. */
#define RETRY_MS 1000

static bool enabled;	    /* const after purger_enable() */
static bool started;	    /* atomic: by who starts it, until it ends or is lost */
static pid_t process;	    /* of this process; not that of a vfork child */
static uint64_t not_before; /* of os_clock_ms(); races do no harm */

void purger_enable(void)
{
	process = getpid();
	enabled = true;
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

/* Returns whether something is left that may be idle later. */
static bool decay(void)
{
	bool slabs = heaps_decay();
	bool heaps = heaps_retire();

	return memcg_drain_idle_stocks() || slabs || heaps;
}

static void *purge(void *arg)
{
	(void)arg;
	/* Not our prctl(): the name of this thread makes no group. */
	syscall(SYS_prctl, PR_SET_NAME, "cgslab-purge", 0, 0, 0);
	task_none();
	rcu_take_in_thread();
	page_purger_run(decay);
	store_release(&started, false); /* pairs with the swap in purger_start() */
	return NULL;
}

static int create_thread(void)
{
	/* What libc allocates for it is the process's, not that of the group at work. */
	struct heap *home = task_visit(process_memcg);
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, old;
	int err;

	if (!home)
		return -ENOMEM;
	if (pthread_attr_init(&attr)) {
		task_end_visit(home);
		return -EAGAIN;
	}
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	sigfillset(&all); /* signals are for the program's threads */
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&thread, &attr, purge, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	task_end_visit(home);
	return -err;
}

void purger_start(void)
{
	int saved_errno = errno;
	bool none = false;

	/* Who has a task stops it at the end: else the process would not end. */
	if (!enabled || !current_task || os_clock_ms() < READ_ONCE(not_before))
		return;
	/* What starts a thread allocates, and so comes here again. */
	if (!cmpxchg_acquire(&started, &none, true))
		return;
	if (getpid() != process || memory_is_scarce() || create_thread()) {
		WRITE_ONCE(not_before, os_clock_ms() + RETRY_MS);
		store_release(&started, false);
	}
	errno = saved_errno;
}

void purger_start_in_free(void)
{
	if (page_purger_is_wanted() && __libc_single_threaded)
		purger_start();
}

void purger_stop(void)
{
	if (load_acquire(&started))
		page_purger_stop();
}

void purger_lost(void)
{
	if (!enabled)
		return;
	process = getpid();
	not_before = os_clock_ms() + RETRY_MS;
	store_release(&started, false);
	heaps_purger_lost();
	page_purger_lost();
}
