/* SPDX-License-Identifier: MIT */
#include "shrinker/shrinker_call.h"

#include <limits.h>

#include "alloc/base/message.h"

enum rule {
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

/* There is no telling which lock or section is whose: to go on would end worse. */
static void check_left_rcu(const struct shrinker_body *body, const char *function)
{
	if (unlikely(rcu_read_ongoing()))
		die("%s() of shrinker '%s' returned in an RCU read section", function, body->name);
}

unsigned long call_count_objects(struct shrinker_body *body, struct shrink_control *sc)
{
	unsigned long nr;

	sc->nr_to_scan = 0;
	sc->nr_scanned = 0;
	nr = body->shrinker.count_objects(&body->shrinker, sc);
	check_left_rcu(body, "count_objects");
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
	unsigned long freed;

	sc->nr_to_scan = nr;
	sc->nr_scanned = nr;
	freed = body->shrinker.scan_objects(&body->shrinker, sc);
	check_left_rcu(body, "scan_objects");
	return check_scan(body, sc, nr, freed);
}
