/* SPDX-License-Identifier: MIT */
/*
 * A program that limits its own address space means what it uses, not what we
 * keep in reserve; so the reserve is given back first. glibc's functions are
 * the one system call, and so are these. With data or address space limited the table
 * of slabs takes its share before objects have taken all.
 */
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "accounting/counters.h"
#include "alloc/base/meta.h"
#include "alloc/pages/page_run.h"
#include "alloc/slab/task.h"

#define EXPORT __attribute__((visibility("default")))

static void before_limit(pid_t pid, int resource, const struct rlimit *limit)
{
	if ((resource != RLIMIT_AS && resource != RLIMIT_DATA) || !limit ||
	    limit->rlim_cur == RLIM_INFINITY)
		return;
	slab_init();
	/* A vfork()ed child shares our memory, and limits only itself. */
	if (counters_header()->pid != getpid() || (pid && pid != getpid()))
		return;
	slab_table_prepare(limit->rlim_cur);
	if (resource != RLIMIT_AS)
		return;
	page_runs_release_reserve();
	slab_table_release_reserve();
	counters_release_reserve();
	meta_release_reserve();
}

static int set_limit(pid_t pid, int resource, const struct rlimit *new, struct rlimit *old)
{
	before_limit(pid, resource, new);
	return (int)syscall(SYS_prlimit64, pid, resource, new, old);
}

EXPORT int setrlimit(__rlimit_resource_t resource, const struct rlimit *limit)
{
	return set_limit(0, (int)resource, limit, NULL);
}

EXPORT int prlimit(pid_t pid, __rlimit_resource_t resource, const struct rlimit *new,
		   struct rlimit *old)
{
	return set_limit(pid, (int)resource, new, old);
}

/* struct rlimit64 is the same on 64-bit machines. */
_Static_assert(sizeof(struct rlimit) == sizeof(struct rlimit64), "one struct");

EXPORT int setrlimit64(__rlimit_resource_t resource, const struct rlimit64 *limit)
{
	return set_limit(0, (int)resource, (const struct rlimit *)limit, NULL);
}

EXPORT int prlimit64(pid_t pid, __rlimit_resource_t resource, const struct rlimit64 *new,
		     struct rlimit64 *old)
{
	return set_limit(pid, (int)resource, (const struct rlimit *)new, (struct rlimit *)old);
}
