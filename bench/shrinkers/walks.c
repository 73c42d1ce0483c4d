/* SPDX-License-Identifier: MIT */
/*
 * Walks over --live groups and 100 shrinkers, one in a hundred of whose bits is set.
 *
 * The walk over all groups by one thread, --ops times; the median is what is printed:
 *
 *	fresh		the other bits were never set
 *	fresh_x10	the same bits among those of 1000 shrinkers
 *	stale		all bits were set, and found to be so for nothing, once
 *	stale_x10	likewise
 *	set_x10		ten times the bits set
 *
 * Visits of a shrinker in a group, each with both callbacks, in --ops rounds of all ways by turns;
 * medians of visits a second:
 *
 *	threads		one thread; two, each in a tree of its own, or both in both
 *	rivals		one thread, while another registers shrinkers and frees them, as fast as it
 *			can; without and with a lock
 */
#include <stdio.h>
#include <time.h>

#include "accounting/mem_cgroup.h"
#include "bench/shrinkers/forest.h"
#include "bench/shrinkers/rwlock.h"
#include "bench/workloads/measure.h"
#include "bench/workloads/threads.h"
#include "bench/workloads/workload.h"

#define SHRINKERS 100u
#define TIMES	  10u  /* as many, in the modes called so */
#define PART	  100u /* of all bits, one is set */
#define ROUND_MS  50
#define RUNS_MAX  10000u
#define WARM	  3u /* walks */

enum { FRESH, FRESH_X10, STALE, STALE_X10, SET_X10, THREADS, RIVALS };

static struct forest forest;

static void populate(struct caches *caches, const struct scheme *scheme, unsigned mode)
{
	unsigned bits = forest.groups * SHRINKERS / PART;

	*caches = (struct caches){
		.scheme = scheme,
		.registered =
			mode == FRESH_X10 || mode == STALE_X10 ? TIMES * SHRINKERS : SHRINKERS,
		.used = SHRINKERS,
		.bits = mode == SET_X10 ? TIMES * bits : bits,
		.stale = mode == STALE || mode == STALE_X10,
	};
	caches_add(caches, &forest);
}

/* ---- One walk ----------------------------------------------------------- */

static uint64_t walk(const struct scheme *scheme)
{
	struct mem_cgroup *memcg = NULL;
	uint64_t freed = 0;

	while ((memcg = mem_cgroup_iter(forest.root, memcg, NULL)))
		freed += scheme->shrink(memcg);
	return freed;
}

static void time_walks(unsigned mode, unsigned nr)
{
	static double us[RUNS_MAX];
	struct caches caches;
	uint64_t freed = 0;

	populate(&caches, &lockless, mode);
	for (unsigned i = 0; i < WARM; i++)
		freed += walk(&lockless);
	for (unsigned i = 0; i < nr; i++) {
		double start = measure_thread_seconds();

		freed += walk(&lockless);
		us[i] = (measure_thread_seconds() - start) * 1e6;
	}
	if (freed != (uint64_t)(WARM + nr) * caches.bits * SHRINK_BATCH ||
	    freed != caches_scanned(&caches, &forest))
		workload_fail("not every bit was visited once in each walk");
	measure_print("walk_us", measure_median(us, nr));
	measure_print("bits", caches.bits);
}

/* ---- Many, for a while -------------------------------------------------- */

struct crew {
	const struct caches *caches;
	unsigned walkers;
	bool apart;	/* each in a tree of its own */
	bool registrar; /* one more thread */

	bool stop;			     /* atomic */
	double visits[WORKLOAD_MAX_THREADS]; /* a second; by walker */
	double registrations;		     /* a second */
};

static bool is_over(const struct crew *crew)
{
	return __atomic_load_n(&crew->stop, __ATOMIC_RELAXED);
}

/* Returns how many objects were freed. */
static uint64_t walk_on(struct crew *crew, unsigned index)
{
	struct mem_cgroup *root = crew->apart ? forest.trees[index % FOREST_TREES] : forest.root;
	double start = measure_now();
	struct mem_cgroup *memcg = NULL;
	uint64_t freed = 0;

	while (!is_over(crew)) {
		memcg = mem_cgroup_iter(root, memcg, NULL);
		if (memcg)
			freed += crew->caches->scheme->shrink(memcg);
	}
	mem_cgroup_iter_break(root, memcg);
	crew->visits[index] = (double)freed / SHRINK_BATCH / (measure_now() - start);
	return freed;
}

static void register_on(struct crew *crew)
{
	const struct scheme *scheme = crew->caches->scheme;
	double start = measure_now();
	uint64_t done = 0;

	for (; !is_over(crew); done++)
		scheme->remove(passer_by_add(scheme));
	crew->registrations = (double)done / (measure_now() - start);
}

static uint64_t member(unsigned index, void *arg)
{
	struct crew *crew = arg;
	struct timespec round = {.tv_nsec = ROUND_MS * 1000000};

	if (index < crew->walkers)
		return walk_on(crew, index);
	if (index == crew->walkers) {
		nanosleep(&round, NULL);
		__atomic_store_n(&crew->stop, true, __ATOMIC_RELAXED);
	} else {
		register_on(crew);
	}
	return 0;
}

/* Returns visits a second. */
static double run_crew(struct crew *crew)
{
	double visits = 0;
	uint64_t freed;

	crew->stop = false;
	freed = threads_run(crew->walkers + 1 + crew->registrar, member, crew);
	if (freed != caches_scanned(crew->caches, &forest))
		workload_fail("objects were lost");
	for (unsigned i = 0; i < crew->walkers; i++)
		visits += crew->visits[i];
	return visits;
}

/* ---- One thread and two ------------------------------------------------- */

static void time_threads(unsigned rounds)
{
	static double one[RUNS_MAX], apart[RUNS_MAX], together[RUNS_MAX];
	struct caches caches;

	populate(&caches, &lockless, THREADS);
	for (unsigned i = 0; i < rounds; i++) {
		one[i] = run_crew(&(struct crew){.caches = &caches, .walkers = 1});
		apart[i] = run_crew(&(struct crew){.caches = &caches, .walkers = 2, .apart = true});
		together[i] = run_crew(&(struct crew){.caches = &caches, .walkers = 2});
		apart[i] /= one[i];
		together[i] /= one[i];
	}
	measure_print("visits", measure_median(one, rounds));
	measure_print("speedup_apart", measure_median(apart, rounds));
	measure_print("speedup_together", measure_median(together, rounds));
}

/* ---- Without a lock and with one ---------------------------------------- */

struct contest {
	double visits[RUNS_MAX], registrations[RUNS_MAX];
};

static void compete(struct contest *contest, unsigned round, const struct caches *caches)
{
	struct crew crew = {.caches = caches, .walkers = 1, .registrar = true};

	contest->visits[round] = run_crew(&crew);
	contest->registrations[round] = crew.registrations;
}

static void print_contest(const char *name, struct contest *contest, unsigned rounds)
{
	char text[64];

	snprintf(text, sizeof(text), "%s_visits", name);
	measure_print(text, measure_median(contest->visits, rounds));
	snprintf(text, sizeof(text), "%s_registrations", name);
	measure_print(text, measure_median(contest->registrations, rounds));
}

static void time_rivals(unsigned rounds)
{
	static struct contest free, bound[RWLOCKS];
	struct caches ours, theirs;

	populate(&ours, &lockless, RIVALS);
	populate(&theirs, &locked, RIVALS);
	for (unsigned i = 0; i < rounds; i++) {
		compete(&free, i, &ours);
		for (unsigned kind = 0; kind < RWLOCKS; kind++) {
			rwlock = &rwlocks[kind];
			compete(&bound[kind], i, &theirs);
		}
	}
	print_contest("lockless", &free, rounds);
	for (unsigned kind = 0; kind < RWLOCKS; kind++)
		print_contest(rwlocks[kind].name, &bound[kind], rounds);
}

/* ---- main() ------------------------------------------------------------- */

static uint64_t run(const struct workload_params *params)
{
	unsigned nr = (unsigned)params->ops;

	if (nr > RUNS_MAX)
		workload_fail("--ops is too large");
	forest.groups = (unsigned)params->live;
	forest_grow(&forest);
	if (params->mode == THREADS)
		time_threads(nr);
	else if (params->mode == RIVALS)
		time_rivals(nr);
	else
		time_walks(params->mode, nr);
	return 0;
}

const struct workload workload = {
	.about = "walks over groups and their shrinkers",
	.modes = {"fresh", "fresh_x10", "stale", "stale_x10", "set_x10", "threads", "rivals"},
	.defaults = {.ops = 100, .live = 10000},
	.run = run,
};
