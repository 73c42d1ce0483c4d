/* SPDX-License-Identifier: MIT */
#include "tests/stress/crew.h"

#include <pthread.h>

#include "tests/stress/check.h"
#include "tests/stress/deadline.h"

#define MAX_THREADS 32

struct member {
	const struct crew *crew;
	unsigned int place;
	struct random random;
	pthread_t supervisor;
};

static void start(pthread_t *thread, void *(*fn)(void *), void *arg)
{
	CHECK(!pthread_create(thread, NULL, fn, arg), "no thread");
}

static void join(pthread_t thread)
{
	CHECK(!pthread_join(thread, NULL), "no thread to join");
}

static void *live(void *arg)
{
	struct member *member = arg;

	member->crew->life(member->place, &member->random);
	return NULL;
}

/* Has nothing to do with the library: only its threads have. */
static void *supervise(void *arg)
{
	while (!deadline_passed()) {
		pthread_t thread;

		start(&thread, live, arg);
		join(thread);
	}
	return NULL;
}

void crew_run(const struct crew *crews, void (*meanwhile)(void))
{
	struct member members[MAX_THREADS];
	unsigned int nr = 0;

	for (; crews->threads; crews++) {
		for (unsigned int place = 0; place < crews->threads; place++) {
			struct member *member = &members[nr++];

			CHECK(nr <= MAX_THREADS, "too many threads");
			member->crew = crews;
			member->place = place;
			random_seed(&member->random, nr);
			start(&member->supervisor, supervise, member);
		}
	}
	while (meanwhile && !deadline_passed())
		meanwhile();
	while (nr)
		join(members[--nr].supervisor);
}

static void *call(void *arg)
{
	void (**fn)(void) = arg;

	(*fn)();
	return NULL;
}

void crew_run_once(void (*fn)(void))
{
	pthread_t thread;

	start(&thread, call, &fn);
	join(thread);
}
