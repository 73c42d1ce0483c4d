/* SPDX-License-Identifier: MIT */
/*
 * container_cache MIB [THREADS [PAUSE]]
 *
 * Puts so many MiB into a cache, which keeps all it gets: entries of 16 bytes to 16 KiB, in places
 * drawn at random, by so many threads together. Where the library is, the cache has a shrinker;
 * where it is not, there is none. PAUSE: ms after each MiB of a thread.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cgslab/shrinker.h>

#include "tests/stress/random.h"

extern __typeof(shrinker_alloc) shrinker_alloc __attribute__((weak));
extern __typeof(shrinker_register) shrinker_register __attribute__((weak));

#define PLACES	65536u
#define THREADS 64

struct entry {
	struct entry *next;
	char content[];
};

static struct place {
	pthread_mutex_t lock;
	struct entry *oldest, **newest; /* lock */
} places[PLACES];

static long cached, evicted; /* atomic */
static unsigned int hand;    /* atomic */
static long bytes_each;
static useconds_t pause_us;

static unsigned long count(struct shrinker *shrinker, struct shrink_control *sc)
{
	(void)shrinker;
	(void)sc;
	return (unsigned long)__atomic_load_n(&cached, __ATOMIC_RELAXED);
}

static struct entry *take_oldest(struct place *place)
{
	struct entry *entry;

	pthread_mutex_lock(&place->lock);
	entry = place->oldest;
	if (entry) {
		place->oldest = entry->next;
		if (!place->oldest)
			place->newest = &place->oldest;
	}
	pthread_mutex_unlock(&place->lock);
	return entry;
}

/* Round all places, in an order that has nothing to do with where memory is. */
static unsigned long scan(struct shrinker *shrinker, struct shrink_control *sc)
{
	unsigned long freed = 0;

	(void)shrinker;
	for (unsigned int i = 0; i < PLACES && freed < sc->nr_to_scan; i++) {
		unsigned int at = __atomic_fetch_add(&hand, 1, __ATOMIC_RELAXED);
		struct entry *entry = take_oldest(&places[at * 2654435761u % PLACES]);

		if (!entry)
			continue;
		free(entry);
		freed++;
	}
	__atomic_sub_fetch(&cached, (long)freed, __ATOMIC_RELAXED);
	__atomic_add_fetch(&evicted, (long)freed, __ATOMIC_RELAXED);
	return freed;
}

static void add(struct place *place, size_t size)
{
	struct entry *entry = malloc(sizeof(*entry) + size);

	if (!entry) {
		fprintf(stderr, "malloc() returned NULL\n");
		exit(1);
	}
	memset(entry->content, 1, size);
	entry->next = NULL;
	pthread_mutex_lock(&place->lock);
	*place->newest = entry;
	place->newest = &entry->next;
	pthread_mutex_unlock(&place->lock);
	__atomic_add_fetch(&cached, 1, __ATOMIC_RELAXED);
}

static void *fill(void *seed)
{
	struct random random;
	long left = bytes_each, mib = left >> 20;

	random_seed(&random, (uintptr_t)seed);
	while (left > 0) {
		size_t size = 16u << random_below(&random, 10);

		size += random_below(&random, (uint32_t)size);
		add(&places[random_below(&random, PLACES)], size);
		left -= (long)size;
		if (pause_us && left >> 20 < mib) {
			mib = left >> 20;
			usleep(pause_us);
		}
	}
	return NULL;
}

static int make_shrinker(void)
{
	struct shrinker *shrinker = shrinker_alloc(0, "cache");

	if (!shrinker)
		return -1;
	shrinker->count_objects = count;
	shrinker->scan_objects = scan;
	shrinker_register(shrinker);
	return 0;
}

int main(int argc, char **argv)
{
	int nr = argc > 2 ? atoi(argv[2]) : 1;
	pthread_t threads[THREADS];

	if (argc < 2 || nr < 1 || nr > THREADS)
		return 2;
	bytes_each = (atol(argv[1]) << 20) / nr;
	pause_us = argc > 3 ? (useconds_t)atoi(argv[3]) * 1000 : 0;
	for (unsigned int i = 0; i < PLACES; i++) {
		pthread_mutex_init(&places[i].lock, NULL);
		places[i].newest = &places[i].oldest;
	}
	if (shrinker_alloc && make_shrinker())
		return 1;
	for (int i = 0; i < nr; i++)
		if (pthread_create(&threads[i], NULL, fill, (void *)(uintptr_t)(i + 1)))
			return 1;
	for (int i = 0; i < nr; i++)
		pthread_join(threads[i], NULL);
	printf("cached %ld evicted %ld\n", cached, evicted);
	return 0;
}
