/* SPDX-License-Identifier: MIT */
/*
 * Threads take and free memory while the purger works, rests and is woken: what
 * they wrote stays, and all of it goes back once they are done.
 */
#include <pthread.h>
#include <string.h>

#include <cgslab/memcg.h>
#include <cgslab/slab.h>

#include "alloc/base/os.h"
#include "alloc/pages/page_run.h"
#include "alloc/slab/purger.h"
#include "tests/stress/check.h"
#include "tests/stress/deadline.h"
#include "tests/stress/random.h"

#define THREADS 3
#define BLOCKS	64
#define LARGEST (1ul << 20)

/* Longer than pages stay idle, now and then. */
static void pause_perhaps(struct random *random)
{
	if (random_chance(random, 100))
		os_sleep_us(random_chance(random, 10) ? 900000 : 1000);
}

/* Slabs of large objects that come and go while the purger looks at them. */
static void *fill_and_empty(void *arg)
{
	unsigned char *blocks[BLOCKS];
	struct random random;

	random_seed(&random, (uintptr_t)arg + 100);
	while (!deadline_passed()) {
		size_t size = 1 + random_below(&random, KMALLOC_MAX_CACHE_SIZE);

		for (unsigned int i = 0; i < BLOCKS; i++) {
			blocks[i] = kmalloc(size, GFP_KERNEL);
			CHECK(blocks[i], "no memory");
			blocks[i][size - 1] = (unsigned char)i;
		}
		for (unsigned int i = 0; i < BLOCKS; i++) {
			CHECK(blocks[i][size - 1] == i, "block %u holds %u", i,
			      blocks[i][size - 1]);
			kfree(blocks[i]);
		}
		pause_perhaps(&random);
	}
	return NULL;
}

static void *work(void *arg)
{
	unsigned char *blocks[BLOCKS] = {NULL};
	struct random random;

	random_seed(&random, (uintptr_t)arg);
	while (!deadline_passed()) {
		unsigned int i = random_below(&random, BLOCKS);
		size_t size = random_size(&random, LARGEST);

		if (blocks[i])
			CHECK(blocks[i][0] == i, "block %u holds %u", i, blocks[i][0]);
		kfree(blocks[i]);
		blocks[i] = kmalloc(size, random_chance(&random, 2) ? GFP_KERNEL | __GFP_ZERO
								    : GFP_KERNEL);
		CHECK(blocks[i], "no memory");
		memset(blocks[i], (int)i, size);
		pause_perhaps(&random);
	}
	for (unsigned int i = 0; i < BLOCKS; i++)
		kfree(blocks[i]);
	return NULL;
}

static size_t dirty_pages(void)
{
	struct page_run_stats stats;

	page_runs_stats(&stats);
	return stats.dirty;
}

/* The purger, too, drains stocks and gives slabs back. */
static void expect_in_order(void)
{
	CHECK(mem_cgroup_verify(mem_cgroup_root(), NULL) == 0, "the books are wrong");
}

static void expect_purged(void)
{
	for (int i = 0; dirty_pages(); i++) {
		CHECK(i < 1000, "%zu pages stay", dirty_pages());
		os_sleep_us(10000);
	}
}

/* Enough at once for a purger to be started. */
static void free_much(void)
{
	void *blocks[16];

	for (int i = 0; i < 16; i++) {
		blocks[i] = kmalloc(LARGEST, GFP_KERNEL);
		CHECK(blocks[i], "no memory");
	}
	for (int i = 0; i < 16; i++)
		kfree(blocks[i]);
	kfree(kmalloc(LARGEST, GFP_KERNEL)); /* with threads, allocations start it */
}

int main(int argc, char **argv)
{
	pthread_t threads[2 * THREADS];

	deadline_start(argc, argv);
	purger_enable();
	free_much();
	expect_purged();
	for (uintptr_t i = 0; i < 2 * THREADS; i++)
		CHECK(!pthread_create(&threads[i], NULL, i % 2 ? work : fill_and_empty, (void *)i),
		      "no thread");
	while (!deadline_passed()) {
		expect_in_order();
		os_sleep_us(20000);
	}
	for (int i = 0; i < 2 * THREADS; i++)
		pthread_join(threads[i], NULL);
	free_much();
	expect_purged();
	expect_in_order();
	page_runs_validate();
	return 0;
}
