/* SPDX-License-Identifier: MIT */
/* As daemons do: every descriptor that the program did not open is closed. */
#include "crime.h"

#include <pthread.h>

static void *thread_main(void *unused)
{
	exercise();
	return unused;
}

int main(void)
{
	pthread_t thread;
	pid_t child;

	closefrom(3);
	exercise();
	child = fork();
	if (child == 0) {
		exercise();
		exit(0);
	}
	expect_success(child);
	CHECK(pthread_create(&thread, NULL, thread_main, NULL) == 0);
	CHECK(pthread_join(thread, NULL) == 0);
	return 0;
}
