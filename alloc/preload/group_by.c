/* SPDX-License-Identifier: MIT */
#include "alloc/preload/group_by.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "alloc/slab/task.h"

#define EXPORT	 __attribute__((visibility("default")))
#define COMM_LEN 16

static bool by_comm; /* const after the constructor */

void group_name_from(const char *text, char *name, size_t len)
{
	size_t n = 0;

	for (; *text && n < len - 1 && n < MEMCG_NAME_MAX; text++) {
		unsigned char c = (unsigned char)*text;

		name[n++] = c < ' ' || c == '/' || c == 127 ? '_' : (char)c;
	}
	name[n] = '\0';
	if (!n || !strcmp(name, ".") || !strcmp(name, ".."))
		snprintf(name, len, "unnamed");
}

/* The group of that name below the process's; made if it is not there. */
static struct mem_cgroup *child_group(const char *name)
{
	struct mem_cgroup *memcg = NULL;

	/* Another thread may make or remove it in between. */
	for (int i = 0; !memcg && i < 3; i++) {
		memcg = mem_cgroup_lookup(process_memcg, name);
		if (!memcg)
			memcg = mem_cgroup_create(process_memcg, name);
	}
	return memcg;
}

static struct mem_cgroup *choose_by_comm(void)
{
	int saved_errno = errno;
	char comm[COMM_LEN] = "", name[MEMCG_NAME_MAX + 1];
	struct mem_cgroup *memcg;

	syscall(SYS_prctl, PR_GET_NAME, comm, 0, 0, 0);
	group_name_from(comm, name, sizeof(name));
	memcg = child_group(name);
	errno = saved_errno;
	return memcg;
}

void group_by_comm(void)
{
	by_comm = true;
	task_choose_home = choose_by_comm;
	task_choose_again();
	mem_cgroup_current(); /* the calling thread chooses now */
}

/* ---- Following names ---------------------------------------------------- */

int prctl(int option, ...);

EXPORT int prctl(int option, ...)
{
	unsigned long arg[4];
	va_list args;
	long ret;

	va_start(args, option);
	for (size_t i = 0; i < ARRAY_SIZE(arg); i++)
		arg[i] = va_arg(args, unsigned long);
	va_end(args);
	ret = syscall(SYS_prctl, option, arg[0], arg[1], arg[2], arg[3]);
	if (ret == 0 && option == PR_SET_NAME && by_comm) {
		task_choose_again();
		mem_cgroup_current();
	}
	return (int)ret;
}

EXPORT int pthread_setname_np(pthread_t thread, const char *name)
{
	static int (*next)(pthread_t, const char *);
	int ret;

	if (!READ_ONCE(next))
		WRITE_ONCE(next, (int (*)(pthread_t, const char *))dlsym(RTLD_NEXT,
									 "pthread_setname_np"));
	if (!next)
		return ENOSYS;
	ret = next(thread, name);
	if (ret == 0 && by_comm) {
		/* Another thread follows on its next slow path. */
		task_choose_again();
		if (pthread_equal(thread, pthread_self()))
			mem_cgroup_current();
	}
	return ret;
}
