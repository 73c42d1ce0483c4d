/* SPDX-License-Identifier: MIT */
/*
 * launch LIBRARY PROGRAM [ARGUMENT...]
 *
 * Runs PROGRAM with LIBRARY preloaded and then prints on stdout
 *
 *	launch ELAPSED_SECONDS CPU_SECONDS PEAK_RSS_KIB STATUS
 *
 * where STATUS is the exit status, or minus the signal that killed the program. CPU time and peak
 *RSS take in the children that it waited for: of these the largest counts.
 *
 * A small program does this and not the driver, because a child's ru_maxrss begins at what its
 * parent occupied when it called exec, and an interpreter occupies more than some workloads do.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static _Noreturn void child(const char *library, char **argv)
{
	/* Whoever gives up on the launcher gives up on the program. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (setenv("LD_PRELOAD", library, 1))
		_exit(127);
	execvp(argv[0], argv);
	fprintf(stderr, "launch: %s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

int main(int argc, char **argv)
{
	struct rusage usage;
	double start;
	int status;
	pid_t pid;

	if (argc < 3) {
		fprintf(stderr, "usage: launch LIBRARY PROGRAM [ARGUMENT...]\n");
		return 2;
	}
	start = now();
	pid = fork();
	if (pid == 0)
		child(argv[1], argv + 2);
	if (pid < 0 || wait4(pid, &status, 0, &usage) != pid) {
		fprintf(stderr, "launch: %s\n", strerror(errno));
		return 1;
	}
	printf("launch %.6f %.6f %ld %d\n", now() - start,
	       seconds(usage.ru_utime) + seconds(usage.ru_stime), usage.ru_maxrss,
	       WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status));
	return 0;
}
