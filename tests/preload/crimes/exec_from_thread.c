/* SPDX-License-Identifier: MIT */
/* A thread replaces the program, while others allocate. */
#include "crime.h"

#include <pthread.h>

static void *allocate(void *unused)
{
	for (;;)
		exercise();
	return unused;
}

static void *replace(void *unused)
{
	usleep(10000);
	exec_self("second");
	return unused;
}

int main(int argc, char **argv)
{
	pthread_t threads[3];

	(void)argv;
	exercise();
	if (argc > 1)
		return 0;
	for (int i = 0; i < 3; i++)
		CHECK(pthread_create(&threads[i], NULL, i ? allocate : replace, NULL) == 0);
	pthread_join(threads[0], NULL);
	return 1;
}
