/* SPDX-License-Identifier: MIT */
/*
 * The scheme that kernels had until 6.6: who walks over the shrinkers of a group holds a global
 * lock for reading, and who registers or frees one, for writing. The rest is as in the library, or
 * less: ids and maps never grow, nothing is counted, and nobody is checked.
 */
#include <stdlib.h>

#include "accounting/mem_cgroup.h"
#include "bench/shrinkers/forest.h"
#include "bench/shrinkers/rwlock.h"
#include "bench/workloads/workload.h"

#define WORD_BITS 64u

/* Of a group. */
struct info {
	uint64_t *map;	    /* atomic; a bit for each id */
	uint64_t *deferred; /* atomic; by id */
};

static unsigned capacity;
static struct info *infos; /* by small id of the group; const */

/* Under the lock. */
static struct shrinker **shrinkers; /* by id */
static int *unused_ids;
static unsigned nr_unused;

static void *must_calloc(size_t nr, size_t size)
{
	void *memory = calloc(nr, size);

	if (!memory)
		workload_fail("no memory");
	return memory;
}

static void init(const struct forest *forest, unsigned nr_shrinkers)
{
	unsigned words = nr_shrinkers / WORD_BITS + 1;

	capacity = words * WORD_BITS;
	infos = must_calloc(forest->nr_ids, sizeof(*infos));
	for (unsigned i = 0; i < forest->nr_ids; i++) {
		if (!forest->by_id[i])
			continue;
		infos[i].map = must_calloc(words, sizeof(*infos[i].map));
		infos[i].deferred = must_calloc(capacity, sizeof(*infos[i].deferred));
	}
	shrinkers = must_calloc(capacity, sizeof(*shrinkers));
	unused_ids = must_calloc(capacity, sizeof(*unused_ids));
	for (unsigned id = capacity; id;)
		unused_ids[nr_unused++] = (int)--id;
}

/* ---- Registration ------------------------------------------------------- */

static struct shrinker *alloc_shrinker(void)
{
	struct shrinker *shrinker = must_calloc(1, sizeof(*shrinker));

	shrinker->seeks = DEFAULT_SEEKS;
	return shrinker;
}

static void add(struct shrinker *shrinker)
{
	rwlock->write_lock();
	if (!nr_unused)
		workload_fail("too many shrinkers");
	shrinker->id = unused_ids[--nr_unused];
	shrinkers[shrinker->id] = shrinker;
	rwlock->write_unlock();
}

static void remove_shrinker(struct shrinker *shrinker)
{
	rwlock->write_lock();
	shrinkers[shrinker->id] = NULL;
	unused_ids[nr_unused++] = shrinker->id;
	rwlock->write_unlock();
	free(shrinker);
}

/* ---- Walks -------------------------------------------------------------- */

static void set_bit(struct mem_cgroup *memcg, int id)
{
	struct info *info = &infos[memcg_small_id(memcg)];

	__atomic_fetch_or(&info->map[(unsigned)id / WORD_BITS], 1ul << id % WORD_BITS,
			  __ATOMIC_ACQ_REL);
}

static void clear_bit(struct info *info, int id)
{
	__atomic_fetch_and(&info->map[(unsigned)id / WORD_BITS], ~(1ul << id % WORD_BITS),
			   __ATOMIC_ACQ_REL);
}

static unsigned long scan(struct shrinker *shrinker, struct shrink_control *sc, unsigned long nr,
			  unsigned long freeable, unsigned long *scanned)
{
	unsigned long batch = shrinker->batch ? (unsigned long)shrinker->batch : SHRINK_BATCH;
	unsigned long freed = 0, ret;

	while (nr >= batch || (nr && nr >= freeable)) {
		sc->nr_to_scan = sc->nr_scanned = nr < batch ? nr : batch;
		ret = shrinker->scan_objects(shrinker, sc);
		if (ret == SHRINK_STOP)
			break;
		freed += ret;
		*scanned += sc->nr_scanned;
		nr -= sc->nr_scanned;
	}
	return freed;
}

/* The arithmetic of the library's. */
static unsigned long shrink_one(struct shrinker *shrinker, struct mem_cgroup *memcg,
				uint64_t *deferred)
{
	struct shrink_control sc = {.gfp_mask = GFP_KERNEL, .memcg = memcg};
	unsigned long freeable = shrinker->count_objects(shrinker, &sc);
	unsigned long before, delta, nr, freed, scanned = 0;

	if (freeable == 0 || freeable == SHRINK_EMPTY)
		return freeable;
	before = __atomic_exchange_n(deferred, 0, __ATOMIC_ACQ_REL);
	delta = (freeable >> PRIORITY) * 4 / (unsigned int)shrinker->seeks;
	nr = (before >> PRIORITY) + delta;
	freed = scan(shrinker, &sc, nr < 2 * freeable ? nr : 2 * freeable, freeable, &scanned);
	if (before + delta > scanned)
		__atomic_fetch_add(deferred, before + delta - scanned, __ATOMIC_ACQ_REL);
	return freed;
}

static unsigned long shrink_bit(struct info *info, struct mem_cgroup *memcg, int id)
{
	struct shrinker *shrinker = shrinkers[id];
	unsigned long freed;

	if (!shrinker) {
		clear_bit(info, id);
		return 0;
	}
	freed = shrink_one(shrinker, memcg, &info->deferred[id]);
	if (freed != SHRINK_EMPTY)
		return freed;
	clear_bit(info, id);
	freed = shrink_one(shrinker, memcg, &info->deferred[id]);
	if (freed == SHRINK_EMPTY)
		return 0;
	set_bit(memcg, id);
	return freed;
}

static unsigned long shrink(struct mem_cgroup *memcg)
{
	struct info *info = &infos[memcg_small_id(memcg)];
	unsigned long freed = 0;

	rwlock->read_lock();
	for (unsigned word = 0; info->map && word < capacity / WORD_BITS; word++) {
		uint64_t map = __atomic_load_n(&info->map[word], __ATOMIC_RELAXED);

		for (; map; map &= map - 1)
			freed += shrink_bit(info, memcg,
					    (int)word * (int)WORD_BITS + __builtin_ctzl(map));
	}
	rwlock->read_unlock();
	return freed;
}

const struct scheme locked = {
	.init = init,
	.alloc = alloc_shrinker,
	.add = add,
	.remove = remove_shrinker,
	.set_bit = set_bit,
	.shrink = shrink,
};
