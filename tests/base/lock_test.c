/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>

#include "alloc/base/lock.h"

#define THREADS 4
#define ROUNDS	50000

static struct lock pages = LOCK_INIT(LOCK_RANK_PAGES);
static struct lock meta = LOCK_INIT(LOCK_RANK_META);
static struct lock other_meta = LOCK_INIT(LOCK_RANK_META);
static long counter; /* pages */

static void *count(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		lock(&pages);
		counter++;
		unlock(&pages);
	}
	return arg;
}

Test(lock, one_thread_at_a_time)
{
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, count, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		cr_assert_eq(pthread_join(threads[i], NULL), 0);
	cr_expect_eq(counter, (long)THREADS * ROUNDS);
	cr_expect(!lock_is_held(&pages));
}

Test(lock, nests_in_rank_order)
{
	lock(&pages);
	lock(&meta);
	cr_expect(lock_is_held(&pages) && lock_is_held(&meta));
	lock_nested(&other_meta);
	unlock(&other_meta);
	unlock(&pages); /* in any order */
	unlock(&meta);
	lock(&pages);
	unlock(&pages);
}

#ifdef CGSLAB_DEBUG

Test(lock, a_lower_rank_dies, .signal = SIGABRT)
{
	lock(&meta);
	lock(&pages);
}

Test(lock, the_same_rank_dies, .signal = SIGABRT)
{
	lock(&meta);
	lock(&other_meta);
}

Test(lock, a_lower_rank_dies_nested_too, .signal = SIGABRT)
{
	lock(&meta);
	lock_nested(&pages);
}

Test(lock, releasing_what_is_not_held_dies, .signal = SIGABRT)
{
	unlock(&meta);
}

Test(lock, none_is_held)
{
	lock_none_held("this");
	lock(&meta);
	unlock(&meta);
	lock_none_held("this");
}

Test(lock, one_is_held_and_should_not, .signal = SIGABRT)
{
	lock(&meta);
	lock_none_held("this");
}

static void *lock_meta(void *arg)
{
	lock(&meta);
	unlock(&meta);
	return arg;
}

/* What one thread holds is no other's business. */
Test(lock, ranks_are_of_a_thread)
{
	pthread_t thread;

	lock(&other_meta);
	cr_assert_eq(pthread_create(&thread, NULL, lock_meta, NULL), 0);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	unlock(&other_meta);
}

#endif
