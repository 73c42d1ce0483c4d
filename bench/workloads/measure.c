/* SPDX-License-Identifier: MIT */
#include "bench/workloads/measure.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench/workloads/workload.h"

uint64_t measure_rss_bytes(void)
{
	char text[128] = "", *resident;
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		workload_fail("cannot read /proc/self/statm");
	close(fd);
	resident = strchr(text, ' '); /* the second number */
	if (!resident)
		workload_fail("cannot parse /proc/self/statm");
	return strtoull(resident, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
}

static double seconds_by(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

double measure_thread_seconds(void)
{
	return seconds_by(CLOCK_THREAD_CPUTIME_ID);
}

double measure_process_seconds(void)
{
	return seconds_by(CLOCK_PROCESS_CPUTIME_ID);
}

double measure_now(void)
{
	return seconds_by(CLOCK_MONOTONIC);
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double measure_median(double *values, unsigned count)
{
	qsort(values, count, sizeof(*values), compare_doubles);
	return values[count / 2];
}

void measure_print(const char *name, double value)
{
	printf("measure %s %.6g\n", name, value);
}
