/* SPDX-License-Identifier: MIT */
/*
 * Calls of the user's functions. What they may not do, and can be seen to have
 * done, is told of once for each shrinker, and what they returned is put right.
 */
#ifndef SHRINKER_SHRINKER_CALL_H
#define SHRINKER_SHRINKER_CALL_H

#include "shrinker/shrinker.h"

/* The caller holds @body. A number of objects, or SHRINK_EMPTY. */
unsigned long call_count_objects(struct shrinker_body *body, struct shrink_control *sc);

/*
 * Has @nr objects looked at; how many were is in sc->nr_scanned, at most @nr. The
 * number of objects that were freed, or SHRINK_STOP.
 */
unsigned long call_scan_objects(struct shrinker_body *body, struct shrink_control *sc,
				unsigned long nr);

#endif
