/* SPDX-License-Identifier: MIT */
/*
 * Threads holder1, holder2 and so on, each with OBJECTS objects and a block of
 * BLOCK bytes. Says "ready" when all have theirs, and ends with its input.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define HOLDERS	    3
#define OBJECTS	    2000
#define OBJECT_SIZE 1024
#define BLOCK	    (1ul << 20)

static pthread_barrier_t all_have;

static void *get(size_t size)
{
	void *ptr = malloc(size);

	if (!ptr)
		abort();
	__asm__ __volatile__("" : : "r"(ptr) : "memory");
	return ptr;
}

static void *hold(void *arg)
{
	char name[16];

	snprintf(name, sizeof(name), "holder%d", (int)(intptr_t)arg);
	pthread_setname_np(pthread_self(), name);
	for (int i = 0; i < OBJECTS; i++)
		get(OBJECT_SIZE);
	get(BLOCK);
	pthread_barrier_wait(&all_have);
	pause();
	return NULL;
}

int main(void)
{
	pthread_t thread;
	char c;

	pthread_barrier_init(&all_have, NULL, HOLDERS + 1);
	for (intptr_t i = 1; i <= HOLDERS; i++)
		if (pthread_create(&thread, NULL, hold, (void *)i))
			return 1;
	pthread_barrier_wait(&all_have);
	puts("ready");
	fflush(stdout);
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
	return 0;
}
