/* SPDX-License-Identifier: MIT */
/*
 * memory.events, and telling those who wait for one by an eventfd.
 *
 * An event is written to the eventfd at once, by the thread that caused it: nobody
 * would be there to send one later that was held back, and so none is. What comes
 * before the reader has read adds up in the eventfd: it wakes once.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "accounting/memcg_more.h"
#include "alloc/base/meta.h"

struct listener {
	struct list_head list; /* more->listeners */
	enum memcg_event event;
	int fd; /* its user's; open until mem_cgroup_unregister_event() returns */
};

/* ---- An event ------------------------------------------------------------- */

static void notify(const struct memcg_more *more, enum memcg_event event)
{
	const struct list_head *pos;
	const uint64_t one = 1;
	int saved_errno = errno;

	/* A listener that was taken off the list is there for a grace period, its fd too. */
	rcu_read_lock();
	for (pos = list_next_rcu(&more->listeners); pos != &more->listeners;
	     pos = list_next_rcu(pos)) {
		const struct listener *listener = container_of(pos, struct listener, list);

		if (listener->event == event) /* not write(), which is a cancellation point */
			syscall(SYS_write, listener->fd, &one, sizeof(one));
	}
	rcu_read_unlock();
	errno = saved_errno;
}

void memcg_event(struct mem_cgroup *memcg, enum memcg_event event)
{
	counters_own();
	if (event < MEMCG_EVENT_SWAP_HIGH)
		atomic_add(&memcg->memory.record->events_local[event], 1);
	for (; memcg; memcg = memcg->parent) {
		const struct memcg_more *more = memcg_more_if_any(memcg);

		/* Before it is told: who was woken finds it counted. */
		__atomic_add_fetch(&memcg->memory.record->events[event], 1, __ATOMIC_RELEASE);
		if (unlikely(more && list_next_rcu(&more->listeners) != &more->listeners))
			notify(more, event);
	}
}

uint64_t mem_cgroup_event(const struct mem_cgroup *memcg, enum memcg_event event)
{
	return READ_ONCE(memcg->memory.record->events[event]);
}

uint64_t mem_cgroup_event_local(const struct mem_cgroup *memcg, enum memcg_event event)
{
	if (event >= MEMCG_EVENT_SWAP_HIGH)
		return 0;
	return READ_ONCE(memcg->memory.record->events_local[event]);
}

const char *memcg_event_name(enum memcg_event event)
{
	static const char *const names[NR_MEMCG_EVENTS] = {
		[MEMCG_EVENT_LOW] = "low",
		[MEMCG_EVENT_HIGH] = "high",
		[MEMCG_EVENT_MAX] = "max",
		[MEMCG_EVENT_OOM] = "oom",
		[MEMCG_EVENT_OOM_KILL] = "oom_kill",
		[MEMCG_EVENT_OOM_GROUP_KILL] = "oom_group_kill",
		[MEMCG_EVENT_SWAP_HIGH] = "high",
		[MEMCG_EVENT_SWAP_MAX] = "max",
		[MEMCG_EVENT_SWAP_FAIL] = "fail",
	};

	return names[event];
}

/* ---- Listeners ------------------------------------------------------------ */

static bool is_eventfd(int fd)
{
	static const char eventfd[] = "anon_inode:[eventfd]";
	char path[40], link[sizeof(eventfd)];
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	len = readlink(path, link, sizeof(link));
	if (len < 0 && fcntl(fd, F_GETFD) >= 0)
		return true; /* there is no /proc: the caller will know */
	return len == sizeof(eventfd) - 1 && !memcmp(link, eventfd, sizeof(eventfd) - 1);
}

/* cgroup_lock */
static struct listener *find(const struct memcg_more *more, enum memcg_event event, int fd)
{
	struct listener *listener;

	list_for_each_entry (listener, &more->listeners, list)
		if (listener->event == event && listener->fd == fd)
			return listener;
	return NULL;
}

static int add_listener(struct mem_cgroup *memcg, struct listener *listener)
{
	struct memcg_more *more = memcg_more(memcg);
	int err = 0;

	if (!more)
		return -ENOMEM;
	lock(&cgroup_lock);
	if (!memcg->online)
		err = -ENODEV;
	else if (find(more, listener->event, listener->fd))
		err = -EEXIST;
	else
		list_add_tail_rcu(&listener->list, &more->listeners);
	unlock(&cgroup_lock);
	return err;
}

int mem_cgroup_register_event(struct mem_cgroup *memcg, enum memcg_event event, int fd)
{
	struct listener *listener;
	int saved_errno = errno;
	int err = 0;

	if ((unsigned int)event >= NR_MEMCG_EVENTS || !is_eventfd(fd))
		err = -EINVAL;
	errno = saved_errno;
	if (err)
		return err;
	listener = meta_alloc(sizeof(*listener));
	if (!listener)
		return -ENOMEM;
	listener->event = event;
	listener->fd = fd;
	err = add_listener(memcg, listener);
	if (err)
		meta_free(listener, sizeof(*listener));
	return err;
}

int mem_cgroup_unregister_event(struct mem_cgroup *memcg, enum memcg_event event, int fd)
{
	const struct memcg_more *more = memcg_more_if_any(memcg);
	struct listener *listener;

	if (!more)
		return -ENOENT;
	lock(&cgroup_lock);
	listener = find(more, event, fd);
	if (listener)
		list_del_rcu(&listener->list);
	unlock(&cgroup_lock);
	if (!listener)
		return -ENOENT;
	synchronize_rcu(); /* pairs with notify() */
	meta_free(listener, sizeof(*listener));
	return 0;
}

void memcg_drop_listeners(struct memcg_more *more)
{
	struct listener *listener, *next;

	list_for_each_entry_safe (listener, next, &more->listeners, list)
		meta_free(listener, sizeof(*listener));
	list_init(&more->listeners);
}
