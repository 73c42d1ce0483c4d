/* SPDX-License-Identifier: MIT */
/* Several threads run into the group's limit, 64 MiB, at once. */
#include "limit.h"

#include <pthread.h>
#include <stdatomic.h>

static atomic_size_t taken;

static void *thread_main(void *unused)
{
	(void)unused;
	for (int i = 0; i < 50; i++) {
		void *list;
		size_t total = exhaust(&list, 10000, 128 * MIB);

		CHECK(atomic_fetch_add(&taken, total) + total <= 64 * MIB);
		atomic_fetch_sub(&taken, total);
		release(list);
	}
	return NULL;
}

int main(void)
{
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		CHECK(pthread_create(&threads[i], NULL, thread_main, NULL) == 0);
	for (int i = 0; i < 4; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	exercise();
	return 0;
}
