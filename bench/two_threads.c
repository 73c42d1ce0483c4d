/* SPDX-License-Identifier: MIT */
/*
 * two_threads ROUNDS: how much two threads do in the time in which one does 1.
 *
 * Prints a line "NAME RATE" for each of
 *
 *	arithmetic	  nothing is shared: what the machine gives, 2 at best
 *	charge_own_groups obj_cgroup_charge() and uncharge, each thread in a limited group of its
 *own charge_one_group  the same in one limited group malloc_own_groups malloc and free, in the same
 *ways malloc_one_group
 *
 * A round takes each of them with one thread and right after it with two, so that both see the same
 * machine; a rate is the median over the rounds. What a thread holds grows to SWING objects and
 * shrinks again, far more than a stock: batches are drawn from the group and returned all the time.
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cgslab/memcg.h>

#include "bench/gbench_shim.h"

#define SIZE  256
#define SWING 8192 /* of SIZE: 2 MiB */
#define LIMIT (1ULL << 30)

struct worker {
	struct obj_cgroup *objcg;
	void *objects[SWING];
};

struct kind {
	const char *name;
	void (*swing)(struct worker *worker);
	unsigned swings; /* for a millisecond or so */
	bool own;
};

static struct mem_cgroup *groups[2]; /* const after main() has made them */

/* The one helper, and what it is told: */
static struct {
	sem_t wake;
	const struct kind *kind; /* before the post of wake; NULL: leave */
	atomic_bool ready, go, done;
} helper;

static void swing_arithmetic(struct worker *worker)
{
	unsigned long sum = (unsigned long)worker;

	for (unsigned i = 0; i < SWING; i++) {
		sum = sum * 6364136223846793005u + i;
		bench_use((void *)sum);
	}
}

static void swing_charges(struct worker *worker)
{
	for (unsigned i = 0; i < SWING; i++)
		if (obj_cgroup_charge(worker->objcg, GFP_KERNEL, SIZE))
			abort();
	for (unsigned i = 0; i < SWING; i++)
		obj_cgroup_uncharge(worker->objcg, SIZE);
}

static void swing_objects(struct worker *worker)
{
	for (unsigned i = 0; i < SWING; i++) {
		worker->objects[i] = malloc(SIZE);
		if (!worker->objects[i])
			abort();
	}
	for (unsigned i = 0; i < SWING; i++)
		free(worker->objects[i]);
}

static const struct kind kinds[] = {
	{"arithmetic", swing_arithmetic, 100, false},
	{"charge_own_groups", swing_charges, 32, true},
	{"charge_one_group", swing_charges, 32, false},
	{"malloc_own_groups", swing_objects, 16, true},
	{"malloc_one_group", swing_objects, 16, false},
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static void until(atomic_bool *flag)
{
	while (!atomic_load_explicit(flag, memory_order_acquire))
		; /* pairs with say() */
}

static void say(atomic_bool *flag)
{
	atomic_store_explicit(flag, true, memory_order_release);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Works in a group; between the two calls is what is timed. */
static struct mem_cgroup *worker_enter(struct worker *worker, const struct kind *kind,
				       unsigned group)
{
	struct mem_cgroup *before = set_active_memcg(groups[group]);

	worker->objcg = get_obj_cgroup_from_current();
	kind->swing(worker); /* to be warm */
	return before;
}

static void worker_swing(struct worker *worker, const struct kind *kind)
{
	for (unsigned i = 0; i < kind->swings; i++)
		kind->swing(worker);
}

static void worker_leave(struct worker *worker, struct mem_cgroup *before)
{
	obj_cgroup_put(worker->objcg);
	set_active_memcg(before);
}

static void *help(void *arg)
{
	static struct worker worker;

	(void)arg;
	for (;;) {
		const struct kind *kind;
		struct mem_cgroup *before;

		while (sem_wait(&helper.wake))
			; /* EINTR */
		kind = helper.kind;
		if (!kind)
			return NULL;
		before = worker_enter(&worker, kind, kind->own);
		say(&helper.ready);
		until(&helper.go);
		worker_swing(&worker, kind);
		say(&helper.done);
		worker_leave(&worker, before);
	}
}

/* The helper sleeps where it is not needed, and starts when this thread does where it is. */
static double timed(const struct kind *kind, bool two)
{
	static struct worker worker;
	struct mem_cgroup *before = worker_enter(&worker, kind, 0);
	double seconds;

	if (two) {
		helper.kind = kind;
		helper.ready = helper.go = helper.done = false;
		sem_post(&helper.wake);
		until(&helper.ready);
		say(&helper.go);
	}
	seconds = now();
	worker_swing(&worker, kind);
	if (two)
		until(&helper.done);
	seconds = now() - seconds;
	worker_leave(&worker, before);
	return seconds;
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void measure(unsigned rounds, double *rates)
{
	for (unsigned round = 0; round < rounds; round++) {
		for (unsigned i = 0; i < KINDS; i++) {
			double one = timed(&kinds[i], false);

			rates[i * rounds + round] = 2 * one / timed(&kinds[i], true);
		}
	}
	for (unsigned i = 0; i < KINDS; i++) {
		qsort(rates + i * rounds, rounds, sizeof(double), compare_doubles);
		printf("%s %.4f\n", kinds[i].name, rates[i * rounds + rounds / 2]);
	}
}

static void make_groups(void)
{
	static const char *const names[] = {"one", "other"};

	for (unsigned i = 0; i < 2; i++) {
		groups[i] = mem_cgroup_create(NULL, names[i]);
		if (!groups[i] || mem_cgroup_set_max(groups[i], LIMIT))
			abort();
	}
}

int main(int argc, char **argv)
{
	unsigned rounds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
	double *rates = calloc(rounds, KINDS * sizeof(double));
	pthread_t thread;

	if (!rounds || !rates) {
		fprintf(stderr, "usage: two_threads ROUNDS\n");
		return 2;
	}
	make_groups();
	sem_init(&helper.wake, 0, 0);
	if (pthread_create(&thread, NULL, help, NULL))
		abort();
	measure(rounds, rates);
	helper.kind = NULL;
	sem_post(&helper.wake);
	pthread_join(thread, NULL);
	free(rates);
	return 0;
}
