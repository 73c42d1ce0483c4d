/* SPDX-License-Identifier: MIT */
#include "shrinker/shrink.h"

#include "shrinker/shrinker_call.h"
#include "shrinker/shrinker_info.h"

/* A shrinker, which is held, and what is remembered of it. */
struct job {
	struct shrinker_body *body;
	struct shrinker_slot *slot;
	struct shrink_scope *scope;
	struct mem_cgroup *memcg; /* NULL: the shrinker is not memcg-aware */
};

/* ---- How much ----------------------------------------------------------- */

/* What protection leaves of @nr objects; at least one. */
static unsigned long shared(const struct shrink_scope *scope, unsigned long nr)
{
	nr = min_t(unsigned long, nr, DEFERRED_MAX) * scope->share / SHRINK_WHOLE_SHARE;
	return nr ? nr : 1;
}

/* How many of @freeable objects are due at this pressure. */
static unsigned long due(const struct job *job, unsigned long freeable)
{
	int seeks = job->body->shrinker.seeks;

	if (seeks <= 0)
		return freeable / 2; /* they cost nothing to make */
	return (freeable >> job->scope->priority) * 4 / (unsigned int)seeks;
}

static unsigned long batch_size(const struct job *job)
{
	long batch = job->body->shrinker.batch;

	return batch > 0 ? (unsigned long)batch : SHRINK_BATCH;
}

/*
 * The same with what was @deferred. Of that the kernel scans the less, the lower the
 * pressure is; so a small group, which never has a batch due at once, gives nothing until
 * large ones have become as small. Here it gives one batch whenever it has come to that.
 */
static unsigned long due_with(const struct job *job, unsigned long due, unsigned long deferred)
{
	return max_t(unsigned long, (deferred >> job->scope->priority) + due,
		     min_t(unsigned long, deferred + due, batch_size(job)));
}

/* The most that is scanned in one call, or deferred from one to the next. */
static unsigned long limit(const struct job *job, unsigned long freeable)
{
	return job->scope->share < SHRINK_WHOLE_SHARE ? freeable : 2 * freeable;
}

static bool is_enough(struct shrink_scope *scope)
{
	if (scope->is_enough && !scope->enough)
		scope->enough = scope->is_enough(scope);
	return scope->enough;
}

/* ---- One shrinker and one group ----------------------------------------- */

/*
 * Has up to @nr objects scanned, in batches; less than a batch only if there are no
 * more. Returns how many were freed, and in *@scanned how many were looked at.
 */
static unsigned long scan(const struct job *job, struct shrink_control *sc, unsigned long nr,
			  unsigned long freeable, unsigned long *scanned)
{
	unsigned long batch = batch_size(job), freed = 0, ret;
	bool called = false;

	while (nr >= batch || (nr && nr >= freeable)) {
		called = true;
		ret = call_scan_objects(job->body, sc, min_t(unsigned long, batch, nr));
		if (ret == SHRINK_STOP)
			break;
		freed += ret;
		*scanned += sc->nr_scanned;
		nr -= sc->nr_scanned;
		if (!sc->nr_scanned || is_enough(job->scope))
			break; /* of the first: nor will it look at any if asked again */
	}
	if (called)
		backoff_note(job->slot, freed);
	return freed;
}

/*
 * The kernel's arithmetic. Returns how many objects were freed, or SHRINK_EMPTY.
 * Source: do_shrink_slab(), mm/shrinker.c.
 */
static unsigned long do_shrink_slab(const struct job *job)
{
	struct shrink_control sc = {.gfp_mask = job->scope->gfp, .memcg = job->memcg};
	unsigned long freeable = call_count_objects(job->body, &sc);
	unsigned long deferred, delta, nr, freed, rest, scanned = 0;

	if (freeable == 0 || freeable == SHRINK_EMPTY)
		return freeable;
	job->scope->found += freeable;
	freeable = shared(job->scope, freeable);
	/* Others who come now find nothing deferred: it is scanned once. */
	deferred = shrinker_slot_take(job->slot, job->body->generation);
	delta = due(job, freeable);
	nr = min_t(unsigned long, due_with(job, delta, deferred), limit(job, freeable));
	freed = scan(job, &sc, nr, freeable, &scanned);

	/*
	 * What was due and not done is left to the next, as long as it makes sense. Where less
	 * was enough, it was not due.
	 */
	if (job->scope->enough)
		delta = min_t(unsigned long, delta, scanned);
	rest = deferred + delta > scanned ? deferred + delta - scanned : 0;
	rest = min_t(unsigned long, rest, limit(job, freeable));
	if (!rest)
		return freed;
	if (job->memcg)
		shrinker_defer(job->memcg, job->slot, job->body, rest);
	else
		shrinker_slot_add(job->slot, job->body->generation, rest);
	return freed;
}

/* Whether the shrinker is to be asked at all. */
static bool may_run(struct shrink_scope *scope, const struct shrinker_body *body,
		    const struct shrinker_slot *slot)
{
	if (!(scope->gfp & __GFP_FS) && !(body->shrinker.flags & SHRINKER_MALLOC_SAFE)) {
		scope->skipped = true;
		return false;
	}
	if (scope->priority == 0 || backoff_is_due(slot, body->generation))
		return true;
	scope->found++;
	return false;
}

/* No callbacks where they are not wanted, nor within one. */
static bool may_call(const struct shrink_scope *scope)
{
	return (scope->gfp & __GFP_DIRECT_RECLAIM) && scope->share && !shrinker_running;
}

/* ---- The shrinkers of a group ------------------------------------------- */

/*
 * The bit of one that was freed. Its id may have passed on since, and the bit be the
 * next one's: who set it did so after the beginning of that life, which is seen here
 * if his bit was what is cleared. (That id and bit were found in one read section
 * would not help: no grace period waits for who came after the end.)
 */
static void clear_dead_bit(struct shrinker_body *body, struct mem_cgroup *memcg,
			   struct shrinker_info_unit *unit, uint32_t offset)
{
	clear_unit_bit(memcg, unit, offset); /* pairs with set_shrinker_bit() */
	if (!shrinker_is_dead(body))
		set_unit_bit(memcg, unit, offset);
}

/* A shrinker that has a bit, held; or NULL: it is dead, or not registered yet. */
static struct shrinker_body *get_by_bit(struct mem_cgroup *memcg, struct shrinker_info_unit *unit,
					uint32_t offset)
{
	struct shrinker_body *body = shrinker_by_id(unit->index * SHRINKER_UNIT_IDS + offset);

	if (shrinker_tryget(body))
		return body;
	if (shrinker_is_dead(body))
		clear_dead_bit(body, memcg, unit, offset);
	return NULL;
}

/*
 * An empty group loses its bit, and is looked at again: who added an object meanwhile
 * and then found the bit set, or set it before, is seen by the second look.
 */
static unsigned long shrink_group(const struct job *job, struct shrinker_info_unit *unit,
				  uint32_t offset)
{
	unsigned long freed = do_shrink_slab(job);

	if (freed != SHRINK_EMPTY)
		return freed;
	clear_unit_bit(job->memcg, unit, offset); /* pairs with set_shrinker_bit() */
	freed = do_shrink_slab(job);
	if (freed == SHRINK_EMPTY)
		return 0;
	set_unit_bit(job->memcg, unit, offset);
	return freed;
}

/*
 * One get, one put. The reference of the shrinker keeps its callbacks, and its id; that
 * of the group, which is the caller's, the unit. Nothing else is held.
 */
static unsigned long shrink_bit(struct shrink_scope *scope, struct shrinker_info_unit *unit,
				uint32_t offset)
{
	struct shrinker_body *body = get_by_bit(scope->memcg, unit, offset);
	struct shrinker_slot *slot = &unit->slots[offset];
	const struct job job = {body, slot, scope, scope->memcg};
	unsigned long freed = 0;

	if (!body)
		return 0;
	if (may_run(scope, body, slot))
		freed = shrink_group(&job, unit, offset);
	shrinker_put(body);
	return freed;
}

static unsigned long shrink_unit(struct shrink_scope *scope, struct shrinker_info_unit *unit)
{
	uint32_t map = READ_ONCE(unit->map);
	unsigned long freed = 0;

	if (!map || !memcg_shrink_begin(scope->memcg))
		return 0;
	for (; map && !scope->enough; map &= map - 1)
		freed += shrink_bit(scope, unit, (uint32_t)__builtin_ctz(map));
	memcg_shrink_end(scope->memcg);
	return freed;
}

unsigned long shrink_slab_memcg(struct shrink_scope *scope)
{
	struct shrinker_info_unit *unit;
	unsigned long freed = 0;
	uint32_t index = 0;

	if (!may_call(scope) || !load_acquire(&scope->memcg->online))
		return 0;
	/* However the info grows meanwhile, the units stay: the caller holds the group. */
	for (; (unit = shrinker_info_next_set(scope->memcg, index)) && !scope->enough;
	     index = unit->index + 1)
		freed += shrink_unit(scope, unit);
	return freed;
}

/* ---- Those that know of no groups --------------------------------------- */

static unsigned long shrink_one_global(struct shrink_scope *scope, uint32_t id)
{
	struct shrinker_body *body = shrinker_by_id(id);
	unsigned long freed = 0, ret;

	if (!shrinker_tryget(body))
		return 0;
	if (!(body->shrinker.flags & SHRINKER_MEMCG_AWARE) && may_run(scope, body, &body->slot)) {
		const struct job job = {body, &body->slot, scope, NULL};

		ret = do_shrink_slab(&job);
		freed = ret == SHRINK_EMPTY ? 0 : ret;
	}
	shrinker_put(body);
	return freed;
}

/* By id: where the walk is, is a number, which nobody can take away. */
unsigned long shrink_slab_global(struct shrink_scope *scope)
{
	unsigned long freed = 0;

	if (!may_call(scope))
		return 0;
	for (uint32_t id = 0; id < shrinker_nr_ids() && !scope->enough; id++)
		freed += shrink_one_global(scope, id);
	return freed;
}
