/* SPDX-License-Identifier: MIT */
#include "shrinker/shrinker_call.h"

#include <limits.h>

#include "accounting/memalloc.h"
#include "alloc/base/message.h"
#include "alloc/slab/task.h"

enum rule {
	RULE_SCOPE,
	RULE_ACTIVE,
	RULE_COUNT,
	RULE_FREED,
	RULE_SCANNED,
	RULE_MORE,
};

/* Whether it is the first time that the shrinker breaks that rule. */
static bool first_time(struct shrinker_body *body, enum rule rule)
{
	uint32_t bit = 1u << rule;

	return !(__atomic_fetch_or(&body->warned, bit, __ATOMIC_RELAXED) & bit);
}

/* What a callback is to leave as it was. */
struct context {
	unsigned int flags;
	int64_t overcharge;
	struct mem_cgroup *active;
};

static struct mem_cgroup *active(void)
{
	return current_task ? current_task->active : NULL;
}

static struct context context_now(void)
{
	return (struct context){memalloc.flags, memalloc.overcharge, active()};
}

static void check_scopes(struct shrinker_body *body, const struct context *before)
{
	if (likely(memalloc.flags == before->flags && memalloc.overcharge == before->overcharge))
		return;
	if (first_time(body, RULE_SCOPE))
		warn("a callback of shrinker '%s' left a memalloc scope open", body->name);
	memalloc.flags = before->flags;
	memalloc.overcharge = before->overcharge;
}

static void check_active(struct shrinker_body *body, const struct context *before)
{
	if (likely(active() == before->active))
		return;
	if (first_time(body, RULE_ACTIVE))
		warn("a callback of shrinker '%s' did not change the active group back",
		     body->name);
	set_active_memcg(before->active);
}

static void check_context(struct shrinker_body *body, const struct context *before)
{
	/* Whose section it is, nobody knows; to go on would end worse. */
	if (unlikely(rcu_read_ongoing()))
		die("a callback of shrinker '%s' returned in an RCU read section", body->name);
	check_scopes(body, before);
	check_active(body, before);
}

unsigned long call_count_objects(struct shrinker_body *body, struct shrink_control *sc)
{
	struct context before = context_now();
	unsigned long nr;

	sc->nr_to_scan = 0;
	sc->nr_scanned = 0;
	nr = body->shrinker.count_objects(&body->shrinker, sc);
	check_context(body, &before);
	if (likely(nr <= LONG_MAX || nr == SHRINK_EMPTY))
		return nr;
	if (first_time(body, RULE_COUNT))
		warn("count_objects() of shrinker '%s' returned %ld: that is no number of objects",
		     body->name, (long)nr);
	return 0;
}

/* What a scan of @nr objects says it did, as far as it can be. */
static unsigned long check_scan(struct shrinker_body *body, struct shrink_control *sc,
				unsigned long nr, unsigned long freed)
{
	if (unlikely(sc->nr_scanned > nr)) {
		if (first_time(body, RULE_SCANNED))
			warn("scan_objects() of shrinker '%s' looked at %lu objects: it was asked "
			     "to look at %lu",
			     body->name, sc->nr_scanned, nr);
		sc->nr_scanned = nr;
	}
	if (freed == SHRINK_STOP)
		return freed;
	if (unlikely(freed > LONG_MAX)) {
		if (first_time(body, RULE_FREED))
			warn("scan_objects() of shrinker '%s' returned %ld: that is no number of "
			     "objects",
			     body->name, (long)freed);
		return SHRINK_STOP;
	}
	if (unlikely(freed > sc->nr_scanned) && first_time(body, RULE_MORE))
		warn("scan_objects() of shrinker '%s' freed %lu objects: it looked at %lu",
		     body->name, freed, sc->nr_scanned);
	return freed;
}

unsigned long call_scan_objects(struct shrinker_body *body, struct shrink_control *sc,
				unsigned long nr)
{
	struct context before = context_now();
	unsigned long freed;

	sc->nr_to_scan = nr;
	sc->nr_scanned = nr;
	freed = body->shrinker.scan_objects(&body->shrinker, sc);
	check_context(body, &before);
	return check_scan(body, sc, nr, freed);
}
