/* SPDX-License-Identifier: MIT */
/* Events, and who is told of them. */
#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cgslab/memcg.h>
#include <cgslab/slab.h>

#include "accounting/mem_cgroup.h"

static struct mem_cgroup *memcg, *child;
static int fd;

static void make(void)
{
	memcg = mem_cgroup_create(NULL, "events");
	child = mem_cgroup_create(memcg, "child");
	fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	cr_assert(memcg && child && fd >= 0);
}

static uint64_t told(int from)
{
	uint64_t events = 0;
	ssize_t len = read(from, &events, sizeof(events));

	cr_assert(len == sizeof(events) || (len < 0 && errno == EAGAIN));
	return events;
}

static void refuse(struct mem_cgroup *in)
{
	struct mem_cgroup *old = set_active_memcg(in);

	cr_assert_null(kmalloc(2 << 20, GFP_KERNEL));
	set_active_memcg(old);
}

Test(events, a_listener_is_told_of_the_subtree, .init = make)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

	cr_assert_eq(mem_cgroup_set_max(child, 1 << 20), 0);
	cr_assert_eq(mem_cgroup_register_event(memcg, MEMCG_EVENT_OOM, fd), 0);
	cr_expect_eq(poll(&poll_fd, 1, 0), 0);
	refuse(child);
	cr_expect_eq(poll(&poll_fd, 1, 0), 1);
	cr_expect_eq(told(fd), 1);
	cr_expect_eq(mem_cgroup_event(memcg, MEMCG_EVENT_OOM), 1);
	cr_expect_eq(mem_cgroup_event_local(memcg, MEMCG_EVENT_OOM), 0);
	cr_expect_eq(mem_cgroup_event_local(child, MEMCG_EVENT_OOM), 1);
	cr_expect_eq(told(fd), 0);
}

Test(events, a_listener_is_told_of_its_event_only, .init = make)
{
	int high = eventfd(0, EFD_NONBLOCK), other = eventfd(0, EFD_NONBLOCK);

	cr_assert_eq(mem_cgroup_register_event(memcg, MEMCG_EVENT_HIGH, high), 0);
	cr_assert_eq(mem_cgroup_register_event(memcg, MEMCG_EVENT_MAX, fd), 0);
	cr_assert_eq(mem_cgroup_register_event(child, MEMCG_EVENT_MAX, other), 0);
	for (int i = 0; i < 5; i++)
		memcg_event(memcg, MEMCG_EVENT_MAX);
	cr_expect_eq(told(fd), 5, "what was not read adds up");
	cr_expect_eq(told(high), 0);
	cr_expect_eq(told(other), 0, "it was the parent's");
	close(high);
	close(other);
}

Test(events, one_eventfd_for_several, .init = make)
{
	cr_assert_eq(mem_cgroup_register_event(memcg, MEMCG_EVENT_LOW, fd), 0);
	cr_assert_eq(mem_cgroup_register_event(memcg, MEMCG_EVENT_OOM_KILL, fd), 0);
	cr_assert_eq(mem_cgroup_register_event(child, MEMCG_EVENT_LOW, fd), 0);
	memcg_event(child, MEMCG_EVENT_LOW);
	cr_expect_eq(told(fd), 2, "of the child and of the parent");
	memcg_event(child, MEMCG_EVENT_OOM_KILL);
	cr_expect_eq(told(fd), 1);
	memcg_event(child, MEMCG_EVENT_OOM_GROUP_KILL);
	cr_expect_eq(told(fd), 0);
}

Test(events, nothing_comes_after_unregistering, .init = make)
{
	cr_assert_eq(mem_cgroup_register_event(memcg, MEMCG_EVENT_MAX, fd), 0);
	cr_assert_eq(mem_cgroup_unregister_event(memcg, MEMCG_EVENT_MAX, fd), 0);
	memcg_event(memcg, MEMCG_EVENT_MAX);
	cr_expect_eq(told(fd), 0);
	cr_expect_eq(mem_cgroup_unregister_event(memcg, MEMCG_EVENT_MAX, fd), -ENOENT);
	cr_assert_eq(mem_cgroup_register_event(memcg, MEMCG_EVENT_MAX, fd), 0);
	memcg_event(memcg, MEMCG_EVENT_MAX);
	cr_expect_eq(told(fd), 1);
}

Test(events, bad_registrations, .init = make)
{
	int ends[2];

	cr_assert_eq(pipe(ends), 0);
	cr_expect_eq(mem_cgroup_register_event(memcg, MEMCG_EVENT_MAX, -1), -EINVAL);
	cr_expect_eq(mem_cgroup_register_event(memcg, MEMCG_EVENT_MAX, ends[1]), -EINVAL);
	cr_expect_eq(mem_cgroup_register_event(memcg, NR_MEMCG_EVENTS, fd), -EINVAL);
	cr_expect_eq(mem_cgroup_unregister_event(memcg, MEMCG_EVENT_MAX, fd), -ENOENT);
	cr_assert_eq(mem_cgroup_register_event(memcg, MEMCG_EVENT_MAX, fd), 0);
	cr_expect_eq(mem_cgroup_register_event(memcg, MEMCG_EVENT_MAX, fd), -EEXIST);
	cr_expect_eq(mem_cgroup_unregister_event(memcg, MEMCG_EVENT_HIGH, fd), -ENOENT);
	cr_assert_eq(mem_cgroup_rmdir(child), 0);
	cr_expect_eq(mem_cgroup_register_event(child, MEMCG_EVENT_MAX, fd), -ENODEV);
}

Test(events, a_group_goes_with_its_listeners, .init = make)
{
	cr_assert_eq(mem_cgroup_register_event(child, MEMCG_EVENT_MAX, fd), 0);
	cr_assert_eq(mem_cgroup_rmdir(child), 0);
	mem_cgroup_put(child);
	rcu_barrier();
	memcg_event(memcg, MEMCG_EVENT_MAX);
	cr_expect_eq(told(fd), 0);
}

/* The eventfd is shared with the parent, who would take the child's events for its own. */
Test(events, a_forked_child_has_no_listeners, .init = make)
{
	int status;
	pid_t pid;

	cr_assert_eq(mem_cgroup_register_event(memcg, MEMCG_EVENT_MAX, fd), 0);
	pid = fork();
	if (pid == 0) {
		memcg_event(memcg, MEMCG_EVENT_MAX);
		_exit(mem_cgroup_unregister_event(memcg, MEMCG_EVENT_MAX, fd) != -ENOENT);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect_eq(status, 0);
	cr_expect_eq(told(fd), 0);
	memcg_event(memcg, MEMCG_EVENT_MAX);
	cr_expect_eq(told(fd), 1);
}

static void *cause_events(void *arg)
{
	(void)arg;
	for (int i = 0; i < 20000; i++)
		memcg_event(child, MEMCG_EVENT_HIGH);
	return NULL;
}

/* Each is either told or came while nobody listened; the descriptor is closed in between. */
Test(events, listeners_come_and_go_under_events, .init = make)
{
	int always = eventfd(0, EFD_NONBLOCK);
	pthread_t threads[2];
	uint64_t some = 0;

	cr_assert_eq(mem_cgroup_register_event(memcg, MEMCG_EVENT_HIGH, always), 0);
	for (int i = 0; i < 2; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, cause_events, NULL), 0);
	while (mem_cgroup_event(memcg, MEMCG_EVENT_HIGH) < 40000) {
		int brief = eventfd(0, EFD_NONBLOCK);

		cr_assert_eq(mem_cgroup_register_event(memcg, MEMCG_EVENT_HIGH, brief), 0);
		cr_assert_eq(mem_cgroup_unregister_event(memcg, MEMCG_EVENT_HIGH, brief), 0);
		some += told(brief);
		cr_assert_eq(close(brief), 0);
	}
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	cr_expect_eq(told(always), 40000);
	cr_expect_leq(some, 40000);
}
