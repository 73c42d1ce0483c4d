/* SPDX-License-Identifier: MIT */
#include "tests/stress/shrunk_caches.h"

#include <pthread.h>
#include <string.h>

#include <cgslab/memcg.h>
#include <cgslab/slab.h>

#include "shrinker/shrink.h"
#include "shrinker/shrinker_info.h"
#include "tests/stress/check.h"

#define CACHES	8
#define FILLERS 56 /* shrinkers that have nothing: so that ids are many */
#define TOPS	3  /* groups that stay */
#define GROUPS	24

struct object {
	struct object *next;
	unsigned long state; /* atomic: alive once */
};

#define ALIVE 0xa11cea11cea11cefull
#define GONE  0x90e90e90e90e90e9ull

struct cache {
	struct shrinker *shrinker;
	pthread_mutex_t lock; /* its callbacks take it */
	struct {
		struct object *first;
		unsigned long nr; /* atomic, to be counted without the lock */
	} lists[GROUPS];
	bool freed; /* atomic: no callback may see it */
};

/* Each place: its lock. Places of caches come before those of groups. */
static struct place {
	pthread_mutex_t lock;
	struct cache *cache;
} places[CACHES];

static struct {
	pthread_mutex_t lock;
	struct shrinker *shrinker;
} fillers[FILLERS];

static struct {
	pthread_rwlock_t lock;
	struct mem_cgroup *memcg; /* written by release */
} groups[GROUPS];

static unsigned long added, scanned, taken, freed, changes, removals;

static void count(unsigned long *what, unsigned long n)
{
	__atomic_add_fetch(what, n, __ATOMIC_RELAXED);
}

/* ---- Lists of a cache ------------------------------------------------------- */

static struct object *pop(struct cache *cache, int group)
{
	struct object *object = cache->lists[group].first;
	unsigned long old;

	if (!object)
		return NULL;
	cache->lists[group].first = object->next;
	__atomic_sub_fetch(&cache->lists[group].nr, 1, __ATOMIC_RELAXED);
	old = __atomic_exchange_n(&object->state, GONE, __ATOMIC_RELAXED);
	CHECK(old == ALIVE, "%lx", old);
	return object;
}

static void push(struct cache *cache, int group, struct object *object)
{
	object->next = cache->lists[group].first;
	cache->lists[group].first = object;
	__atomic_add_fetch(&cache->lists[group].nr, 1, __ATOMIC_RELAXED);
}

/* ---- Callbacks --------------------------------------------------------------- */

static int group_of(const struct mem_cgroup *memcg)
{
	for (int i = 0; i < GROUPS; i++)
		if (__atomic_load_n(&groups[i].memcg, __ATOMIC_ACQUIRE) == memcg)
			return i;
	return -1; /* removed meanwhile */
}

static unsigned long count_objects(struct shrinker *shrinker, struct shrink_control *sc)
{
	struct cache *cache = shrinker->private_data;
	int group = group_of(sc->memcg);
	unsigned long nr = 0;

	CHECK(!__atomic_load_n(&cache->freed, __ATOMIC_RELAXED), "called after it was freed");
	if (group >= 0)
		nr = __atomic_load_n(&cache->lists[group].nr, __ATOMIC_RELAXED);
	return nr ? nr : SHRINK_EMPTY;
}

static unsigned long scan_objects(struct shrinker *shrinker, struct shrink_control *sc)
{
	struct cache *cache = shrinker->private_data;
	int group = group_of(sc->memcg);
	unsigned long nr = 0;
	struct object *object;
	void *block;

	CHECK(!__atomic_load_n(&cache->freed, __ATOMIC_RELAXED), "called after it was freed");
	if (group < 0)
		return SHRINK_STOP;
	pthread_mutex_lock(&cache->lock);
	block = kmalloc(64, GFP_KERNEL);
	while (nr < sc->nr_to_scan && (object = pop(cache, group))) {
		kfree(object);
		nr++;
	}
	kfree(block);
	pthread_mutex_unlock(&cache->lock);
	count(&scanned, nr);
	return nr;
}

/* ---- Fillers ------------------------------------------------------------------ */

static void change_filler(uint32_t at);

/* Has nothing, and puts others of its kind in the place of others. */
static unsigned long count_none(struct shrinker *shrinker, struct shrink_control *sc)
{
	(void)sc;
	return shrinker->private_data ? 1000 : SHRINK_EMPTY;
}

static unsigned long scan_none(struct shrinker *shrinker, struct shrink_control *sc)
{
	uint32_t own = (uint32_t)(uintptr_t)shrinker->private_data;

	(void)sc;
	/* Those who free do not free who frees: that would be a circle. */
	change_filler(own % 2 ? own : (own + 2) % FILLERS | 1);
	return SHRINK_STOP;
}

static struct shrinker *make_filler(uint32_t at)
{
	struct shrinker *shrinker = shrinker_alloc(SHRINKER_MEMCG_AWARE, "filler %u", at);

	CHECK(shrinker, "no shrinker");
	shrinker->count_objects = count_none;
	shrinker->scan_objects = scan_none;
	/* Even places have something to do, and are freed by threads only. */
	shrinker->private_data = at % 2 ? NULL : (void *)(uintptr_t)at;
	shrinker_register(shrinker);
	return shrinker;
}

static void change_filler(uint32_t at)
{
	struct shrinker *old, *new = make_filler(at);

	pthread_mutex_lock(&fillers[at].lock);
	old = fillers[at].shrinker;
	fillers[at].shrinker = new;
	pthread_mutex_unlock(&fillers[at].lock);
	shrinker_free(old);
	count(&changes, 1);
}

/* The id may be nobody's by now, or another's. */
static void set_filler_bit(struct mem_cgroup *memcg, uint32_t at)
{
	struct shrinker *shrinker;
	int id = -1;

	pthread_mutex_lock(&fillers[at].lock);
	shrinker = fillers[at].shrinker;
	if (shrinker)
		id = shrinker->id;
	pthread_mutex_unlock(&fillers[at].lock);
	if (id >= 0)
		set_shrinker_bit(memcg, id);
}

/* ---- Caches ------------------------------------------------------------------- */

static struct cache *make_cache(void)
{
	struct cache *cache = calloc(1, sizeof(*cache));

	CHECK(cache, "no memory");
	pthread_mutex_init(&cache->lock, NULL);
	cache->shrinker = shrinker_alloc(SHRINKER_MEMCG_AWARE, "cache");
	CHECK(cache->shrinker, "no shrinker");
	cache->shrinker->count_objects = count_objects;
	cache->shrinker->scan_objects = scan_objects;
	cache->shrinker->private_data = cache;
	cache->shrinker->batch = 16;
	shrinker_register(cache->shrinker);
	return cache;
}

static void free_cache(struct cache *cache)
{
	struct object *object;
	unsigned long nr = 0;

	shrinker_free(cache->shrinker);
	__atomic_store_n(&cache->freed, true, __ATOMIC_RELAXED);
	for (int i = 0; i < GROUPS; i++) {
		while ((object = pop(cache, i))) {
			kfree(object);
			nr++;
		}
	}
	count(&freed, nr);
	pthread_mutex_destroy(&cache->lock);
	free(cache);
}

void caches_change(struct random *random)
{
	struct place *place = &places[random_below(random, CACHES)];
	struct cache *old, *new = make_cache();

	pthread_mutex_lock(&place->lock);
	old = place->cache;
	place->cache = new;
	pthread_mutex_unlock(&place->lock);
	free_cache(old);
	change_filler(random_below(random, FILLERS));
	count(&changes, 1);
}

/* ---- Groups ------------------------------------------------------------------- */

static struct mem_cgroup *make_group(struct mem_cgroup *parent)
{
	static unsigned long made;
	char name[32];

	snprintf(name, sizeof(name), "g%lu", __atomic_add_fetch(&made, 1, __ATOMIC_RELAXED));
	return mem_cgroup_create(parent, name);
}

struct mem_cgroup *caches_get_group(struct random *random)
{
	uint32_t at = random_below(random, GROUPS);
	struct mem_cgroup *memcg;

	pthread_rwlock_rdlock(&groups[at].lock);
	memcg = groups[at].memcg;
	if (memcg)
		mem_cgroup_get(memcg);
	pthread_rwlock_unlock(&groups[at].lock);
	return memcg;
}

static void move_up(struct cache *cache, int from, int to)
{
	struct object *object;

	pthread_mutex_lock(&cache->lock);
	while ((object = pop(cache, from))) {
		object->state = ALIVE;
		push(cache, to, object);
	}
	pthread_mutex_unlock(&cache->lock);
	set_shrinker_bit(groups[to].memcg, cache->shrinker->id);
}

/* Its parent is one of those that stay. */
void caches_change_group(struct random *random)
{
	int at = TOPS + (int)random_below(random, GROUPS - TOPS);
	struct mem_cgroup *memcg;

	pthread_rwlock_wrlock(&groups[at].lock);
	memcg = groups[at].memcg;
	if (memcg) {
		__atomic_store_n(&groups[at].memcg, NULL, __ATOMIC_RELEASE);
		CHECK(!mem_cgroup_rmdir(memcg), "rmdir");
		for (int i = 0; i < CACHES; i++) {
			pthread_mutex_lock(&places[i].lock);
			move_up(places[i].cache, at, at % TOPS);
			pthread_mutex_unlock(&places[i].lock);
		}
		mem_cgroup_put(memcg);
		count(&removals, 1);
	} else {
		memcg = make_group(groups[at % TOPS].memcg);
		CHECK(memcg, "no group");
		__atomic_store_n(&groups[at].memcg, memcg, __ATOMIC_RELEASE);
	}
	pthread_rwlock_unlock(&groups[at].lock);
}

/* ---- Use ----------------------------------------------------------------------- */

static void add(struct cache *cache, int group)
{
	struct object *object = kmalloc(sizeof(*object), GFP_KERNEL);

	CHECK(object, "no object");
	object->state = ALIVE;
	pthread_mutex_lock(&cache->lock);
	push(cache, group, object);
	pthread_mutex_unlock(&cache->lock);
	set_shrinker_bit(groups[group].memcg, cache->shrinker->id);
	count(&added, 1);
}

static void take_out(struct cache *cache, int group)
{
	struct object *object;

	pthread_mutex_lock(&cache->lock);
	object = pop(cache, group);
	pthread_mutex_unlock(&cache->lock);
	count(&taken, object ? 1 : 0);
	kfree(object);
}

void caches_use(struct random *random)
{
	int group = (int)random_below(random, GROUPS);
	struct place *place = &places[random_below(random, CACHES)];

	pthread_rwlock_rdlock(&groups[group].lock);
	pthread_mutex_lock(&place->lock);
	for (uint32_t n = random_below(random, 20); n && groups[group].memcg; n--) {
		if (random_chance(random, 3))
			take_out(place->cache, group);
		else
			add(place->cache, group);
	}
	pthread_mutex_unlock(&place->lock);
	if (groups[group].memcg)
		set_filler_bit(groups[group].memcg, random_below(random, FILLERS));
	pthread_rwlock_unlock(&groups[group].lock);
}

/* ---- Beginning and end ---------------------------------------------------------- */

void caches_make(void)
{
	for (int i = 0; i < GROUPS; i++)
		pthread_rwlock_init(&groups[i].lock, NULL);
	for (int i = 0; i < TOPS; i++)
		groups[i].memcg = make_group(NULL);
	for (uint32_t i = 0; i < FILLERS; i++) {
		pthread_mutex_init(&fillers[i].lock, NULL);
		fillers[i].shrinker = make_filler(i);
	}
	for (int i = 0; i < CACHES; i++) {
		pthread_mutex_init(&places[i].lock, NULL);
		places[i].cache = make_cache();
	}
}

static bool has_bit(struct mem_cgroup *memcg, uint32_t id)
{
	struct shrinker_info_unit *unit = shrinker_info_next(memcg, id / SHRINKER_UNIT_IDS);

	return unit && unit->index == id / SHRINKER_UNIT_IDS &&
	       unit->map & 1u << id % SHRINKER_UNIT_IDS;
}

static void check_bits(const struct cache *cache)
{
	uint32_t id = (uint32_t)cache->shrinker->id;

	for (int i = 0; i < GROUPS; i++) {
		if (!cache->lists[i].nr)
			continue;
		CHECK(groups[i].memcg, "objects of no group");
		CHECK(has_bit(groups[i].memcg, id), "%lu objects, no bit", cache->lists[i].nr);
	}
}

static void shrink_all(struct mem_cgroup *memcg)
{
	struct shrink_scope scope = {
		.memcg = memcg, .gfp = GFP_KERNEL, .share = SHRINK_WHOLE_SHARE};

	shrink_slab_memcg(&scope);
}

static void check_empty(const struct cache *cache)
{
	for (int i = 0; i < GROUPS; i++)
		CHECK(!cache->lists[i].nr && !cache->lists[i].first, "%lu are left",
		      cache->lists[i].nr);
}

void caches_end(void)
{
	for (int i = 0; i < CACHES; i++)
		check_bits(places[i].cache);
	for (int i = 0; i < GROUPS; i++)
		if (groups[i].memcg)
			shrink_all(groups[i].memcg);
	for (int i = 0; i < CACHES; i++) {
		check_empty(places[i].cache);
		free_cache(places[i].cache);
	}
	CHECK(added == scanned + taken + freed, "%lu added, %lu scanned, %lu taken, %lu freed",
	      added, scanned, taken, freed);
	for (int i = 0; i < FILLERS; i++)
		shrinker_free(fillers[i].shrinker);
	for (int i = GROUPS - 1; i >= 0; i--) {
		if (!groups[i].memcg)
			continue;
		CHECK(!mem_cgroup_rmdir(groups[i].memcg), "rmdir");
		mem_cgroup_put(groups[i].memcg);
	}
}

void caches_print(void)
{
	printf("%lu objects: %lu scanned, %lu taken, %lu freed; %lu shrinkers, %lu groups removed\n",
	       added, scanned, taken, freed, changes, removals);
}
