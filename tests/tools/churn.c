/* SPDX-License-Identifier: MIT */
/*
 * Threads that make groups, allocate in them and remove them, thousands of
 * times a second. Says "ready", and ends with its input.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cgslab/memcg.h>
#include <cgslab/slab.h>

#define THREADS 2
#define DEPTH	3

static bool stop;

static void churn_once(int thread)
{
	struct mem_cgroup *groups[DEPTH], *old;
	struct mem_cgroup *parent = mem_cgroup_current();
	char name[16];

	for (int i = 0; i < DEPTH; i++) {
		snprintf(name, sizeof(name), "churn%d", thread);
		groups[i] = mem_cgroup_create(parent, name);
		if (!groups[i])
			abort();
		parent = groups[i];
	}
	old = set_active_memcg(groups[DEPTH - 1]);
	kfree(kmalloc(1000, GFP_KERNEL));
	set_active_memcg(old);
	usleep(100); /* time to be seen */
	for (int i = DEPTH - 1; i >= 0; i--) {
		if (mem_cgroup_rmdir(groups[i]))
			abort();
		mem_cgroup_put(groups[i]);
	}
}

static void *churn(void *arg)
{
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
		churn_once((int)(intptr_t)arg);
	return NULL;
}

int main(void)
{
	pthread_t threads[THREADS];
	char c;

	for (intptr_t i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, churn, (void *)i))
			return 1;
	puts("ready");
	fflush(stdout);
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	return 0;
}
