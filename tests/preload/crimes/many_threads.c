/* SPDX-License-Identifier: MIT */
/* Thousands of short threads leave nothing behind. */
#include "crime.h"

#include <pthread.h>

enum { BATCH = 50 };

static void *thread_main(void *inherited)
{
	free(inherited);
	for (int i = 0; i < 50; i++)
		free(opaque(malloc((size_t)i * 40)));
	return malloc(2000);
}

static void run_threads(int count)
{
	static void *inherited[BATCH];

	for (int done = 0; done < count; done += BATCH) {
		pthread_t threads[BATCH];

		for (int i = 0; i < BATCH; i++)
			CHECK(pthread_create(&threads[i], NULL, thread_main, inherited[i]) == 0);
		for (int i = 0; i < BATCH; i++)
			CHECK(pthread_join(threads[i], &inherited[i]) == 0);
	}
	for (int i = 0; i < BATCH; i++) {
		free(inherited[i]);
		inherited[i] = NULL;
	}
}

static long resident_kib(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	long pages;

	CHECK(file && fscanf(file, "%*d %ld", &pages) == 1);
	fclose(file);
	return pages * (getpagesize() / 1024);
}

int main(void)
{
	long before;

	run_threads(1000);
	before = resident_kib();
	run_threads(5000);
	CHECK(resident_kib() < before + 8 * 1024);
	return 0;
}
