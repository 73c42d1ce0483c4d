/* SPDX-License-Identifier: MIT */
#include "tests/shrinker/hoard.h"

#include <cgslab/slab.h>
#include <pthread.h>
#include <stdlib.h>

#include "shrinker/pressure.h"
#include "tests/stress/check.h"

struct object {
	struct object *next;
	char data[HOARD_OBJECT - sizeof(struct object *)];
};

struct hoard {
	struct hoard *next;
	struct mem_cgroup *memcg;
	struct object *first, **end;
	unsigned long nr;
};

/* Protects all hoards: one that allocations are not made under. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct hoard *hoards;
static struct shrinker *shrinker;
static unsigned long scanned, counted;
static pthread_t scanner;

void hoards_lock(void)
{
	pthread_mutex_lock(&mutex);
}

void hoards_unlock(void)
{
	pthread_mutex_unlock(&mutex);
}

static struct hoard *find(const struct mem_cgroup *memcg)
{
	struct hoard *hoard = hoards;

	while (hoard && hoard->memcg != memcg)
		hoard = hoard->next;
	return hoard;
}

static unsigned long count(struct shrinker *self, struct shrink_control *sc)
{
	struct hoard *hoard;
	unsigned long nr = 0;

	(void)self;
	hoards_lock();
	counted++;
	hoard = find(sc->memcg);
	if (hoard)
		nr = hoard->nr;
	hoards_unlock();
	return nr ? nr : SHRINK_EMPTY;
}

static struct object *take(struct hoard *hoard)
{
	struct object *object = hoard->first;

	if (!object)
		return NULL;
	hoard->first = object->next;
	if (!hoard->first)
		hoard->end = &hoard->first;
	hoard->nr--;
	return object;
}

static unsigned long scan(struct shrinker *self, struct shrink_control *sc)
{
	struct object *object, *list = NULL;
	struct hoard *hoard;
	unsigned long nr = 0;

	(void)self;
	hoards_lock();
	hoard = find(sc->memcg);
	for (; hoard && nr < sc->nr_to_scan && (object = take(hoard)); nr++) {
		object->next = list;
		list = object;
	}
	scanned += sc->nr_to_scan;
	scanner = pthread_self();
	hoards_unlock();
	while ((object = list)) {
		list = object->next;
		kfree(object);
	}
	return nr;
}

void hoards_begin(unsigned int flags)
{
	pressure_configure(PRESSURE_OFF, ""); /* the machine is another test's */
	shrinker = shrinker_alloc(SHRINKER_MEMCG_AWARE | flags, "hoards");
	CHECK(shrinker, "no memory for a shrinker");
	shrinker->count_objects = count;
	shrinker->scan_objects = scan;
	pressure_configure(PRESSURE_OFF, ""); /* what the machine has is nothing to these tests */
	shrinker_register(shrinker);
}

void hoards_end(void)
{
	shrinker_free(shrinker);
}

struct hoard *hoard_create(struct mem_cgroup *memcg)
{
	struct hoard *hoard = calloc(1, sizeof(*hoard));

	CHECK(hoard, "no memory for a hoard");
	hoard->memcg = memcg;
	hoard->end = &hoard->first;
	hoards_lock();
	hoard->next = hoards;
	hoards = hoard;
	hoards_unlock();
	return hoard;
}

void hoard_destroy(struct hoard *hoard)
{
	struct hoard **link = &hoards;
	struct object *object;

	hoards_lock();
	while (*link != hoard)
		link = &(*link)->next;
	*link = hoard->next;
	hoards_unlock();
	while ((object = take(hoard)))
		kfree(object);
	free(hoard);
}

static void add(struct hoard *hoard, struct object *object)
{
	object->next = NULL;
	hoards_lock();
	*hoard->end = object;
	hoard->end = &object->next;
	hoard->nr++;
	hoards_unlock();
	set_shrinker_bit(hoard->memcg, shrinker->id);
}

uint64_t hoard_fill(struct hoard *hoard, uint64_t bytes, gfp_t gfp)
{
	struct mem_cgroup *old = set_active_memcg(hoard->memcg);
	struct object *object;
	uint64_t got = 0;

	for (; got < bytes && (object = kmalloc(sizeof(*object), gfp)); got += sizeof(*object))
		add(hoard, object);
	set_active_memcg(old);
	return got;
}

unsigned long hoard_objects(struct hoard *hoard)
{
	unsigned long nr;

	hoards_lock();
	nr = hoard->nr;
	hoards_unlock();
	return nr;
}

unsigned long hoards_scanned(void)
{
	unsigned long nr;

	hoards_lock();
	nr = scanned;
	hoards_unlock();
	return nr;
}

unsigned long hoards_counted(void)
{
	unsigned long nr;

	hoards_lock();
	nr = counted;
	hoards_unlock();
	return nr;
}

bool hoards_scanned_by_me(void)
{
	bool me;

	hoards_lock();
	me = scanned && pthread_equal(scanner, pthread_self());
	hoards_unlock();
	return me;
}

uint64_t pin(struct mem_cgroup *memcg, uint64_t bytes, gfp_t gfp, struct pinned **list)
{
	struct mem_cgroup *old = set_active_memcg(memcg);
	struct pinned *block;
	uint64_t got = 0;

	for (; got < bytes && (block = kmalloc(HOARD_OBJECT, gfp)); got += HOARD_OBJECT) {
		block->next = *list;
		*list = block;
	}
	set_active_memcg(old);
	return got;
}

void unpin(struct pinned **list)
{
	struct pinned *block;

	while ((block = *list)) {
		*list = block->next;
		kfree(block);
	}
}
