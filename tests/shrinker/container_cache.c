/* SPDX-License-Identifier: MIT */
/*
 * container_cache MIB [PAUSE]
 *
 * Puts so many MiB into a cache, which keeps all it gets. Where the library is, the cache has a
 * shrinker; where it is not, there is none. PAUSE: ms after each MiB.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cgslab/shrinker.h>

extern __typeof(shrinker_alloc) shrinker_alloc __attribute__((weak));
extern __typeof(shrinker_register) shrinker_register __attribute__((weak));

#define ENTRY_BYTES 8192

struct entry {
	struct entry *next;
	char content[ENTRY_BYTES - sizeof(struct entry *)];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct entry *oldest, **newest = &oldest; /* lock */
static unsigned long cached, evicted;		 /* lock */

static unsigned long count(struct shrinker *shrinker, struct shrink_control *sc)
{
	unsigned long n;

	(void)shrinker;
	(void)sc;
	pthread_mutex_lock(&lock);
	n = cached;
	pthread_mutex_unlock(&lock);
	return n;
}

static struct entry *take_oldest(void)
{
	struct entry *entry;

	pthread_mutex_lock(&lock);
	entry = oldest;
	if (entry) {
		oldest = entry->next;
		if (!oldest)
			newest = &oldest;
		cached--;
		evicted++;
	}
	pthread_mutex_unlock(&lock);
	return entry;
}

static unsigned long scan(struct shrinker *shrinker, struct shrink_control *sc)
{
	unsigned long freed = 0;
	struct entry *entry;

	(void)shrinker;
	while (freed < sc->nr_to_scan && (entry = take_oldest())) {
		free(entry);
		freed++;
	}
	return freed;
}

static void add(void)
{
	struct entry *entry = malloc(sizeof(*entry));

	if (!entry) {
		fprintf(stderr, "malloc() returned NULL\n");
		exit(1);
	}
	memset(entry->content, 1, sizeof(entry->content));
	entry->next = NULL;
	pthread_mutex_lock(&lock);
	*newest = entry;
	newest = &entry->next;
	cached++;
	pthread_mutex_unlock(&lock);
}

int main(int argc, char **argv)
{
	long mib = argc > 1 ? atol(argv[1]) : 0;
	useconds_t pause = argc > 2 ? (useconds_t)atol(argv[2]) * 1000 : 0;

	if (shrinker_alloc) {
		struct shrinker *shrinker = shrinker_alloc(0, "cache");

		if (!shrinker)
			return 1;
		shrinker->count_objects = count;
		shrinker->scan_objects = scan;
		shrinker_register(shrinker);
	}
	for (long i = 0; i < mib; i++) {
		for (int j = 0; j < (1 << 20) / ENTRY_BYTES; j++)
			add();
		if (pause)
			usleep(pause);
	}
	printf("cached %lu evicted %lu\n", cached, evicted);
	return 0;
}
