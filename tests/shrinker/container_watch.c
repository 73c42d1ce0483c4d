/* SPDX-License-Identifier: MIT */
/*
 * container_watch FOLDER LIMIT PROGRAM [ARGUMENT...]
 *
 * Plays the kernel for a container of LIMIT bytes: writes into FOLDER what /proc and the cgroup
 * file systems would say of it, runs the program, keeps its usage up to date a thousand times a
 * second, and kills it when that is above the limit. Exits as the program does; 137 if it was
 * killed.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/shrinker/fake_tree.h"

static int open_usage(void)
{
	return open(fake_path("sys/fs/cgroup/box/memory.current"), O_WRONLY);
}

/* Anonymous memory in bytes: what is resident and not shared. */
static long usage_of(int statm)
{
	long size, resident, shared;
	char text[128];
	ssize_t len = pread(statm, text, sizeof(text) - 1, 0);

	if (len <= 0)
		return 0;
	text[len] = '\0';
	if (sscanf(text, "%ld %ld %ld", &size, &resident, &shared) != 3)
		return 0;
	return (resident - shared) * sysconf(_SC_PAGESIZE);
}

/* As a file of the kernel it never is empty, not even for a moment. */
static void tell(int file, long usage)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "%015ld\n", usage);

	if (pwrite(file, text, (size_t)len, 0) != len)
		abort();
}

static int watch(pid_t pid, long limit)
{
	int usage_file = open_usage(), statm, status;
	char name[64];
	long most = 0;

	snprintf(name, sizeof(name), "/proc/%d/statm", pid);
	statm = open(name, O_RDONLY);
	while (waitpid(pid, &status, WNOHANG) == 0) {
		long usage = usage_of(statm);

		tell(usage_file, usage);
		most = usage > most ? usage : most;
		if (usage > limit)
			kill(pid, SIGKILL);
		usleep(1000);
	}
	fprintf(stderr, "at most %ld MiB of %ld\n", most >> 20, limit >> 20);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
	char text[32];
	int status;
	long limit;
	pid_t pid;

	if (argc < 4)
		return 2;
	limit = atol(argv[2]);
	fake_tree_use(argv[1]);
	fake_cgroup2("/box");
	snprintf(text, sizeof(text), "%ld", limit);
	fake_level2("/box", text, "max", 0, 0);
	setpriority(PRIO_PROCESS, 0, -20); /* the kernel waits for nobody; if we may */
	pid = fork();
	if (!pid) {
		setpriority(PRIO_PROCESS, 0, 0);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execvp(argv[3], argv + 3);
		_exit(127);
	}
	status = watch(pid, limit);
	return status;
}
