/* SPDX-License-Identifier: MIT */
/* The program ends while its threads allocate: no moment is quiet. */
#include "crime.h"

#include <pthread.h>

static void *thread_main(void *unused)
{
	for (;;)
		exercise();
	return unused;
}

int main(void)
{
	for (int i = 0; i < 20; i++) {
		pid_t child = fork();

		if (child == 0) {
			pthread_t thread;

			for (int j = 0; j < 3; j++)
				CHECK(pthread_create(&thread, NULL, thread_main, NULL) == 0);
			usleep(1000 * (i % 5));
			exit(0);
		}
		expect_success(child);
	}
	return 0;
}
