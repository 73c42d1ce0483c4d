/* SPDX-License-Identifier: MIT */
/*
 * A group "cache" with BLOCKS blocks of a mebibyte, and a shrinker that frees them. At
 * rest it reads: for each line it makes a slow allocation, and says how many blocks are left.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <cgslab/memcg.h>
#include <cgslab/shrinker.h>
#include <cgslab/slab.h>

#define BLOCKS 64
#define SIZE   (1ul << 20)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static void *blocks[BLOCKS];
static unsigned long nr_blocks;

static unsigned long count(struct shrinker *shrinker, struct shrink_control *sc)
{
	(void)shrinker;
	(void)sc;
	return nr_blocks ? nr_blocks : SHRINK_EMPTY;
}

static unsigned long scan(struct shrinker *shrinker, struct shrink_control *sc)
{
	unsigned long freed = 0;

	(void)shrinker;
	pthread_mutex_lock(&lock);
	for (; freed < sc->nr_to_scan && nr_blocks; freed++)
		kfree(blocks[--nr_blocks]);
	pthread_mutex_unlock(&lock);
	return freed;
}

static void fill(struct mem_cgroup *memcg)
{
	struct mem_cgroup *old = set_active_memcg(memcg);

	for (; nr_blocks < BLOCKS; nr_blocks++)
		if (!(blocks[nr_blocks] = kmalloc(SIZE, GFP_KERNEL)))
			abort();
	set_active_memcg(old);
}

int main(void)
{
	struct mem_cgroup *memcg = mem_cgroup_create(NULL, "cache");
	struct shrinker *shrinker = shrinker_alloc(SHRINKER_MEMCG_AWARE, "cacher");
	char line[16];

	if (!memcg || !shrinker)
		return 1;
	shrinker->count_objects = count;
	shrinker->scan_objects = scan;
	shrinker->batch = 1;
	shrinker_register(shrinker);
	fill(memcg);
	set_shrinker_bit(memcg, shrinker->id);
	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		kfree(kmalloc(2 * SIZE, GFP_KERNEL));
		pthread_mutex_lock(&lock);
		printf("%lu\n", nr_blocks);
		pthread_mutex_unlock(&lock);
		fflush(stdout);
	}
	return 0;
}
