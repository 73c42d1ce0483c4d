/* SPDX-License-Identifier: MIT */
#include "tests/shrinker/toy.h"

#include <stdlib.h>

#include "shrinker/pressure.h"
#include "shrinker/shrinker_info.h"

static unsigned long count(struct shrinker *shrinker, struct shrink_control *sc)
{
	struct toy *toy = shrinker->private_data;

	toy->counts++;
	toy->memcg = sc->memcg;
	if (toy->counting)
		toy->counting(toy, sc);
	return toy->objects;
}

static unsigned long scan(struct shrinker *shrinker, struct shrink_control *sc)
{
	struct toy *toy = shrinker->private_data;
	unsigned long nr = sc->nr_to_scan;

	toy->scans++;
	toy->asked += nr;
	toy->last_batch = nr;
	toy->memcg = sc->memcg;
	if (toy->during)
		toy->during(toy, sc);
	if (toy->stop)
		return SHRINK_STOP;
	if (toy->at_most && nr > toy->at_most)
		sc->nr_scanned = nr = toy->at_most;
	if (toy->keep)
		return 0;
	if (nr > toy->objects)
		nr = toy->objects;
	toy->objects -= nr;
	return nr;
}

void toy_start(struct toy *toy, unsigned int flags, const char *name)
{
	pressure_configure(PRESSURE_OFF, ""); /* nobody else calls it */
	toy->shrinker = shrinker_alloc(flags, "%s", name);
	if (!toy->shrinker)
		abort();
	toy->shrinker->count_objects = count;
	toy->shrinker->scan_objects = scan;
	toy->shrinker->private_data = toy;
	shrinker_register(toy->shrinker);
}

void toy_end(struct toy *toy)
{
	shrinker_free(toy->shrinker);
	toy->shrinker = NULL;
}

unsigned long toy_shrink(struct mem_cgroup *memcg, int priority)
{
	struct shrink_scope scope = {.memcg = memcg,
				     .gfp = GFP_KERNEL,
				     .priority = priority,
				     .share = SHRINK_WHOLE_SHARE};

	return memcg ? shrink_slab_memcg(&scope) : shrink_slab_global(&scope);
}

static struct shrinker_info_unit *unit_of(struct toy *toy, struct mem_cgroup *memcg)
{
	uint32_t index = (uint32_t)toy->shrinker->id / SHRINKER_UNIT_IDS;
	struct shrinker_info_unit *unit = shrinker_info_next(memcg, index);

	return unit && unit->index == index ? unit : NULL;
}

unsigned long toy_deferred(struct toy *toy, struct mem_cgroup *memcg)
{
	struct shrinker_body *body = shrinker_body(toy->shrinker);
	struct shrinker_slot *slot = &body->slot;
	struct shrinker_info_unit *unit;

	if (memcg) {
		unit = unit_of(toy, memcg);
		if (!unit)
			return 0;
		slot = &unit->slots[toy->shrinker->id % SHRINKER_UNIT_IDS];
	}
	return shrinker_slot_add(slot, body->generation, 0);
}

bool toy_bit(struct toy *toy, struct mem_cgroup *memcg)
{
	struct shrinker_info_unit *unit = unit_of(toy, memcg);

	return unit && unit->map & 1u << toy->shrinker->id % SHRINKER_UNIT_IDS;
}
