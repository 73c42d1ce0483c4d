/* SPDX-License-Identifier: MIT */
#include "bench/shrinkers/forest.h"

#include <stdio.h>
#include <stdlib.h>

#include "accounting/mem_cgroup.h"
#include "bench/workloads/workload.h"

#define BRANCH 100u /* children of an inner group */

/* ---- Groups ------------------------------------------------------------- */

static void *must_calloc(size_t nr, size_t size)
{
	void *memory = calloc(nr ? nr : 1, size);

	if (!memory)
		workload_fail("no memory");
	return memory;
}

static struct mem_cgroup *make_group(struct mem_cgroup *parent, unsigned number)
{
	char name[16];
	struct mem_cgroup *memcg;

	snprintf(name, sizeof(name), "%u", number);
	memcg = mem_cgroup_create(parent, name);
	if (!memcg)
		workload_fail("cannot make a group");
	return memcg;
}

static void note_group(struct forest *forest, struct mem_cgroup *memcg)
{
	uint32_t id = memcg_small_id(memcg);

	if (id >= forest->nr_ids)
		workload_fail("small ids are not small");
	forest->by_id[id] = memcg;
}

static void grow_tree(struct forest *forest, struct mem_cgroup *tree, unsigned leaves)
{
	struct mem_cgroup *inner = NULL;

	for (unsigned i = 0; i < leaves; i++) {
		if (i % BRANCH == 0) {
			inner = make_group(tree, i / BRANCH);
			note_group(forest, inner);
		}
		note_group(forest, make_group(inner, i % BRANCH));
	}
}

void forest_grow(struct forest *forest)
{
	forest->nr_ids = forest->groups + forest->groups / BRANCH + 64; /* and some of others */
	forest->by_id = must_calloc(forest->nr_ids, sizeof(*forest->by_id));
	forest->root = make_group(NULL, 0);
	for (unsigned i = 0; i < FOREST_TREES; i++) {
		forest->trees[i] = make_group(forest->root, i);
		grow_tree(forest, forest->trees[i], forest->groups / FOREST_TREES);
	}
}

struct mem_cgroup *forest_any_group(const struct forest *forest, struct rng *rng)
{
	struct mem_cgroup *memcg;

	do
		memcg = forest->by_id[rng_below(rng, forest->nr_ids)];
	while (!memcg);
	return memcg;
}

/* ---- Caches ------------------------------------------------------------- */

struct cache {
	struct shrinker *shrinker;
	struct shelf *shelves; /* by small id of the group; NULL: it has no objects anywhere */
};

/* What it has of a group. */
struct shelf {
	uint64_t objects;
	uint64_t scanned; /* atomic */
};

static unsigned long count(struct shrinker *shrinker, struct shrink_control *sc)
{
	const struct cache *cache = shrinker->private_data;
	unsigned long objects =
		cache->shelves ? cache->shelves[memcg_small_id(sc->memcg)].objects : 0;

	return objects ? objects : SHRINK_EMPTY;
}

static unsigned long scan(struct shrinker *shrinker, struct shrink_control *sc)
{
	const struct cache *cache = shrinker->private_data;

	__atomic_fetch_add(&cache->shelves[memcg_small_id(sc->memcg)].scanned, sc->nr_to_scan,
			   __ATOMIC_RELAXED);
	return sc->nr_to_scan;
}

static struct shrinker *add_shrinker(const struct scheme *scheme, struct cache *cache)
{
	struct shrinker *shrinker = scheme->alloc();

	if (!shrinker)
		workload_fail("cannot make a shrinker");
	shrinker->count_objects = count;
	shrinker->scan_objects = scan;
	shrinker->private_data = cache;
	scheme->add(shrinker);
	return shrinker;
}

struct shrinker *passer_by_add(const struct scheme *scheme)
{
	static struct cache nothing;

	return add_shrinker(scheme, &nothing);
}

/* The @number'th that has objects. */
static struct cache *used_cache(const struct caches *caches, unsigned number)
{
	return &caches->cache[number * (caches->registered / caches->used)];
}

static void register_caches(struct caches *caches)
{
	caches->cache = must_calloc(caches->registered, sizeof(*caches->cache));
	for (unsigned i = 0; i < caches->registered; i++) {
		struct cache *cache = &caches->cache[i];

		cache->shrinker = add_shrinker(caches->scheme, cache);
	}
}

/* A walk finds that all are empty again. */
static void leave_traces(const struct caches *caches, const struct forest *forest)
{
	for (uint32_t id = 0; id < forest->nr_ids; id++) {
		struct mem_cgroup *memcg = forest->by_id[id];

		if (!memcg)
			continue;
		for (unsigned i = 0; i < caches->registered; i++)
			caches->scheme->set_bit(memcg, caches->cache[i].shrinker->id);
		caches->scheme->shrink(memcg);
	}
}

static void fill_caches(const struct caches *caches, const struct forest *forest)
{
	struct rng rng = rng_make(1, 0);

	for (unsigned i = 0; i < caches->used; i++)
		used_cache(caches, i)->shelves = must_calloc(forest->nr_ids, sizeof(struct shelf));
	for (unsigned bits = 0; bits < caches->bits;) {
		struct cache *cache = used_cache(caches, rng_below(&rng, caches->used));
		struct mem_cgroup *memcg = forest_any_group(forest, &rng);
		uint64_t *objects = &cache->shelves[memcg_small_id(memcg)].objects;

		if (*objects)
			continue;
		*objects = OBJECTS;
		caches->scheme->set_bit(memcg, cache->shrinker->id);
		bits++;
	}
}

void caches_add(struct caches *caches, const struct forest *forest)
{
	caches->scheme->init(forest, caches->registered + 1); /* and a passer-by */
	register_caches(caches);
	if (caches->stale)
		leave_traces(caches, forest);
	fill_caches(caches, forest);
}

uint64_t caches_scanned(const struct caches *caches, const struct forest *forest)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < caches->used; i++) {
		struct shelf *shelves = used_cache(caches, i)->shelves;

		for (uint32_t id = 0; id < forest->nr_ids; id++)
			sum += __atomic_exchange_n(&shelves[id].scanned, 0, __ATOMIC_RELAXED);
	}
	return sum;
}
