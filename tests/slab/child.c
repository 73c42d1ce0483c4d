/* SPDX-License-Identifier: MIT */
#include "tests/slab/child.h"

#include <sys/wait.h>

void child_verify(void)
{
	struct mem_cgroup_identity sum;

	if (!mem_cgroup_verify(mem_cgroup_root(), &sum))
		return;
	dprintf(2,
		"in the child: usage %ld, objects %ld, spans %ld, stocks %ld, leftovers %ld; "
		"swap usage %ld, swap %ld\n",
		(long)sum.usage, (long)sum.object_bytes, (long)sum.span_bytes,
		(long)sum.stock_bytes, (long)sum.leftover_bytes, (long)sum.swap_usage,
		(long)sum.swap_bytes);
	_exit(1);
}

int child_run(pid_t (*make)(void), void (*fn)(void))
{
	int status = 0;
	pid_t pid = make();

	if (pid < 0)
		return -1;
	if (pid == 0) {
		alarm(CHILD_SECONDS);
		fn();
		_exit(0);
	}
	return waitpid(pid, &status, 0) == pid ? status : -1;
}
