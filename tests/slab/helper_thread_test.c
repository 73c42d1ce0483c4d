/* SPDX-License-Identifier: MIT */
/* Threads of our own: the program does not notice them. */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cgslab/slab.h>

#include "alloc/base/atomic.h"
#include "alloc/base/os.h"
#include "alloc/slab/helper_thread.h"
#include "alloc/slab/task.h"
#include "tests/slab/child.h"

static bool is_running, shall_end; /* atomic */
static int lives;
static char name_seen[16];
static struct mem_cgroup *group_seen;
static bool signals_blocked, has_task;

static void run(void)
{
	sigset_t mask;

	lives++;
	prctl(PR_GET_NAME, name_seen);
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	signals_blocked = sigismember(&mask, SIGTERM) && sigismember(&mask, SIGSEGV);
	group_seen = mem_cgroup_current();
	kfree(kmalloc(100, GFP_KERNEL));
	has_task = current_task;
	store_release(&is_running, true);
	while (!load_acquire(&shall_end))
		os_sleep_us(1000);
	store_release(&is_running, false);
}

static void stop(void)
{
	store_release(&shall_end, true);
}

static struct helper_thread helper = {
	.name = "test-helper",
	.run = run,
	.stop = stop,
	.stack_size = 256ul << 10,
	.has_task = true,
};

static void wait_until(bool running)
{
	while (load_acquire(&is_running) != running ||
	       (!running && helper_thread_is_started(&helper)))
		os_sleep_us(1000);
}

static struct mem_cgroup *elsewhere(void)
{
	return mem_cgroup_lookup(NULL, "elsewhere");
}

Test(helper_thread, belongs_to_the_process)
{
	struct mem_cgroup *memcg = mem_cgroup_create(NULL, "elsewhere");

	task_choose_home = elsewhere;
	set_active_memcg(memcg);
	errno = 12345;
	cr_assert_eq(helper_thread_start(&helper), 0);
	cr_expect_eq(errno, 12345);
	cr_assert_eq(helper_thread_start(&helper), 0, "it runs already");
	wait_until(true);
	cr_expect_eq(mem_cgroup_current(), memcg);
	cr_expect_eq(mem_cgroup_usage(memcg), 0, "a thread's memory is not the group's");
	cr_expect_str_eq(name_seen, "test-helper");
	cr_expect(signals_blocked);
	cr_expect(has_task);
	cr_expect_eq(group_seen, process_memcg);
	task_choose_home = NULL;
	helper_threads_stop();
	wait_until(false);
	cr_expect_eq(lives, 1);
	shall_end = false;
	cr_assert_eq(helper_thread_start(&helper), 0, "and again");
	wait_until(true);
	cr_expect_eq(lives, 2);
	helper_threads_stop();
	wait_until(false);
}

Test(helper_thread, without_a_task)
{
	kfree(kmalloc(100, GFP_KERNEL));
	helper.has_task = false;
	cr_assert_eq(helper_thread_start(&helper), 0);
	wait_until(true);
	cr_expect_not(has_task);
	helper_threads_stop();
	wait_until(false);
}

Test(helper_thread, a_modest_one_leaves_scarce_memory_alone)
{
	const struct rlimit limit = {1ul << 60, RLIM_INFINITY};

	kfree(kmalloc(100, GFP_KERNEL));
	helper.modest = true;
	cr_assert_eq(setrlimit(RLIMIT_DATA, &limit), 0);
	cr_expect_eq(helper_thread_start(&helper), -EAGAIN);
	cr_expect_not(helper_thread_is_started(&helper));
	helper.modest = false;
	cr_expect_eq(helper_thread_start(&helper), -EAGAIN, "not at once after a failure");
	helper.not_before = 0;
	cr_expect_eq(helper_thread_start(&helper), 0);
	helper_threads_stop();
	wait_until(false);
}

static void *start(void *arg)
{
	*(int *)arg = helper_thread_start(&helper);
	return NULL;
}

Test(helper_thread, is_started_by_who_has_a_task)
{
	pthread_t thread;
	int err;

	pthread_create(&thread, NULL, start, &err);
	pthread_join(thread, NULL);
	cr_expect_eq(err, -EAGAIN, "nobody would stop it");
}

/* ---- Processes ------------------------------------------------------------------ */

/* For so long after a fork none is started: the child may be about to call exec. */
static void wait_after_fork(void)
{
	CHILD_CHECK(helper_thread_start(&helper) == -EAGAIN);
	for (int i = 0; i < 11; i++)
		os_sleep_us(100000);
	CHILD_CHECK(!helper_thread_start(&helper));
	while (!load_acquire(&is_running))
		os_sleep_us(1000);
}

static void start_again(void)
{
	CHILD_CHECK(!helper_thread_is_started(&helper)); /* it is the parent's */
	is_running = false;
	wait_after_fork();
	child_verify();
}

Test(helper_thread, a_forked_child_gets_its_own)
{
	kfree(kmalloc(100, GFP_KERNEL));
	cr_assert_eq(helper_thread_start(&helper), 0);
	wait_until(true);
	cr_expect_eq(child_run(fork, start_again), 0);
	cr_expect(load_acquire(&is_running));
	helper_threads_stop();
	wait_until(false);
}

static void *end_last(void *arg)
{
	(void)arg;
	kfree(kmalloc(100, GFP_KERNEL));
	os_sleep_us(100000);
	return NULL;
}

/* The main thread ends first, with its pthread_exit(); the process ends with the last. */
static void end_all_threads(void)
{
	pthread_t thread;

	kfree(kmalloc(100, GFP_KERNEL));
	wait_after_fork();
	CHILD_CHECK(!pthread_create(&thread, NULL, end_last, NULL));
	pthread_detach(thread);
	pthread_exit(NULL);
}

Test(helper_thread, does_not_keep_the_process)
{
	cr_expect_eq(child_run(fork, end_all_threads), 0);
}
