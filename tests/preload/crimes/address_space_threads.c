/* SPDX-License-Identifier: MIT */
/* Several threads run out of address space at once. */
#include "limit.h"

#include <pthread.h>

static void *thread_main(void *unused)
{
	(void)unused;
	for (int i = 0; i < 20; i++) {
		void *list;

		exhaust(&list, 10000, 256 * MIB);
		release(list);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[3];

	(void)argv;
	if (argc == 1) {
		set_limit(RLIMIT_AS, 128 * MIB);
		exec_self("limited");
	}
	for (int i = 0; i < 3; i++)
		CHECK(pthread_create(&threads[i], NULL, thread_main, NULL) == 0);
	for (int i = 0; i < 3; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	exercise();
	return 0;
}
