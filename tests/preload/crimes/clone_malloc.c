/* SPDX-License-Identifier: MIT */
/* Children that no fork handler has prepared. */
#include "crime.h"

#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>

static void *wait_forever(void *block)
{
	free(block);
	exercise();
	for (;;)
		pause();
	return NULL;
}

static void child_main(void *block)
{
	exercise();
	free(block);
	_exit(0);
}

int main(void)
{
	pthread_t thread;

	/* Its heap stays behind in the children. */
	CHECK(pthread_create(&thread, NULL, wait_forever, malloc(100)) == 0);
	usleep(20000);
	for (int i = 0; i < 100; i++) {
		void *block = malloc(1000);
		pid_t child = i % 2 ? _Fork() : (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

		if (child == 0)
			child_main(block);
		expect_success(child);
		free(block);
		exercise();
	}
	return 0;
}
