/* SPDX-License-Identifier: MIT */
#include "accounting/oom.h"

#include <errno.h>

#include "accounting/memcg_more.h"
#include "accounting/memalloc.h"
#include "alloc/base/os.h"

#define WAIT_MS 1000
#define LOOK_MS 10

/* Its own address tells a thread from the others. */
static uint64_t this_thread(void)
{
	return (uintptr_t)&memalloc;
}

/* ---- One at a time ------------------------------------------------------------ */

static bool try_hold(struct memcg_oom *oom)
{
	uint32_t idle = 0;

	return cmpxchg_acquire(&oom->busy, &idle, 1u); /* pairs with let_go() */
}

static void let_go(struct memcg_oom *oom)
{
	store_release(&oom->busy, 0u);
	os_futex_wake(&oom->busy); /* each looks again by itself soon, should one be missed */
}

/* Waits a little for who holds it. */
static void look_again(struct memcg_oom *oom)
{
	os_futex_wait_for(&oom->busy, 1, LOOK_MS);
}

/* ---- Asking --------------------------------------------------------------------- */

struct question {
	struct memcg_oom *oom;
	struct mem_cgroup_oom what;
	enum mem_cgroup_oom_verdict verdict;
};

static void ask(void *arg)
{
	struct question *question = arg;
	struct memcg_oom *oom = question->oom;

	WRITE_ONCE(oom->runner, this_thread());
	question->verdict = oom->fn(&question->what, oom->arg);
	WRITE_ONCE(oom->runner, 0);
}

/* It has given something up: so it says, and so it is counted. */
static void count_kill(const struct mem_cgroup_oom *what)
{
	memcg_event(what->memcg, MEMCG_EVENT_OOM_KILL);
	if (what->oom_group)
		memcg_event(what->oom_group, MEMCG_EVENT_OOM_GROUP_KILL);
}

/* Whoever holds it. */
static enum mem_cgroup_oom_verdict run(struct memcg_oom *oom, const struct mem_cgroup_oom *what)
{
	struct question question = {.oom = oom, .what = *what, .verdict = MEMCG_OOM_REFUSE};

	if (!memcg_ops.run_callback || !memcg_ops.run_callback(ask, &question))
		return MEMCG_OOM_REFUSE;
	if (question.verdict == MEMCG_OOM_RETRY)
		count_kill(what);
	return question.verdict;
}

/* Whether this is whose callback is to be asked; then *@verdict is what came of it. */
static bool ask_one(struct memcg_oom *oom, const struct mem_cgroup_oom *what,
		    enum mem_cgroup_oom_verdict *verdict)
{
	uint64_t end = os_clock_ms() + WAIT_MS;
	bool waited = false, has_callback;

	while (!try_hold(oom)) {
		*verdict = MEMCG_OOM_REFUSE;
		if (os_clock_ms() >= end)
			return true;
		look_again(oom);
		waited = true;
	}
	has_callback = oom->fn;
	if (has_callback)
		*verdict = waited ? MEMCG_OOM_RETRY : run(oom, what);
	let_go(oom);
	return has_callback;
}

static bool is_oom_group(const struct mem_cgroup *memcg)
{
	const struct memcg_more *more = memcg_more_if_any(memcg);

	return more && READ_ONCE(more->oom.group);
}

/* The highest from @current up to @memcg; NULL: none. Source: mem_cgroup_get_oom_group(). */
static struct mem_cgroup *find_oom_group(struct mem_cgroup *current, struct mem_cgroup *memcg)
{
	struct mem_cgroup *found = NULL;

	for (;; current = current->parent) {
		if (is_oom_group(current))
			found = current;
		if (current == memcg)
			return found;
	}
}

enum mem_cgroup_oom_verdict memcg_oom(struct mem_cgroup *memcg, struct mem_cgroup *current,
				      uint64_t bytes, gfp_t gfp)
{
	const struct mem_cgroup_oom what = {
		.memcg = memcg,
		.current = current,
		.bytes = bytes,
		.gfp = gfp,
		.oom_group = find_oom_group(current, memcg),
	};
	enum mem_cgroup_oom_verdict verdict = MEMCG_OOM_REFUSE;

	for (; memcg; memcg = memcg->parent) {
		struct memcg_more *more = memcg_more_if_any(memcg);

		if (more && ask_one(&more->oom, &what, &verdict))
			return verdict;
	}
	return MEMCG_OOM_REFUSE;
}

/* ---- Setting --------------------------------------------------------------------- */

int mem_cgroup_set_oom(struct mem_cgroup *memcg, mem_cgroup_oom_fn fn, void *arg)
{
	struct memcg_more *more = memcg_more(memcg);
	struct memcg_oom *oom;
	bool inside;

	if (!more)
		return -ENOMEM;
	oom = &more->oom;
	inside = READ_ONCE(oom->runner) == this_thread(); /* and so holds it */
	while (!inside && !try_hold(oom))
		look_again(oom);
	oom->fn = fn;
	oom->arg = arg;
	if (!inside)
		let_go(oom);
	return 0;
}

int mem_cgroup_set_oom_group(struct mem_cgroup *memcg, bool together)
{
	struct memcg_more *more;

	if (!memcg->parent)
		return -EINVAL;
	more = memcg_more(memcg);
	if (!more)
		return -ENOMEM;
	WRITE_ONCE(more->oom.group, together);
	return 0;
}

bool mem_cgroup_get_oom_group(const struct mem_cgroup *memcg)
{
	return is_oom_group(memcg);
}

void memcg_oom_fork_child(struct memcg_oom *oom)
{
	if (READ_ONCE(oom->runner) == this_thread())
		return;
	oom->runner = 0;
	oom->busy = 0;
}
