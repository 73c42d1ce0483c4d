/* SPDX-License-Identifier: MIT */
/* What the programs share that free a lot and then look at themselves, without malloc. */
#ifndef TESTS_PRELOAD_CRIMES_PURGE_H
#define TESTS_PRELOAD_CRIMES_PURGE_H

#include "crime.h"

#include <fcntl.h>
#include <time.h>

#define PURGE_BYTES (64ul << 20)

/* Nothing of the process itself comes near it. */
#define IDLE_BYTES (24ul << 20)

static inline double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static inline void nap(void)
{
	const struct timespec pause = {.tv_nsec = 20000000};

	nanosleep(&pause, NULL);
}

static inline void read_proc(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, text, size - 1);

	CHECK(n > 0);
	text[n] = '\0';
	close(fd);
}

static inline size_t resident_bytes(void)
{
	char text[256];
	size_t pages;

	read_proc("/proc/thread-self/statm", text, sizeof(text));
	CHECK(sscanf(text, "%*u %zu", &pages) == 1);
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static inline int count_threads(void)
{
	char text[4096];
	int n;

	read_proc("/proc/thread-self/status", text, sizeof(text));
	CHECK(sscanf(strstr(text, "\nThreads:"), "\nThreads: %d", &n) == 1);
	return n;
}

/* Small blocks and large ones, every page of them resident; then none. */
static inline void fill_and_free(void)
{
	void *list = NULL;

	for (size_t total = 0; total < PURGE_BYTES;) {
		size_t size = total < PURGE_BYTES / 2 ? 1000 : 3 << 20;
		void **block = (void **)malloc(size);

		CHECK(block);
		memset(block, 1, size);
		*block = list;
		list = block;
		total += size;
	}
	CHECK(resident_bytes() >= PURGE_BYTES / 2); /* the kernel counts roughly */
	release(list);
}

/* Does nothing until the memory is gone. */
static inline void expect_idle(void)
{
	double start = seconds_now();

	while (resident_bytes() > IDLE_BYTES) {
		CHECK(seconds_now() - start < 10);
		nap();
	}
}

#endif
