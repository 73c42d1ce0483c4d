/* SPDX-License-Identifier: MIT */
/*
 * Tells ThreadSanitizer what liburcu guarantees, which it cannot see: the
 * library is not instrumented. These stand in front of its functions:
 *
 *   what was done before call_rcu() happens before the callback,
 *   what was done in a read section happens before the callbacks of later
 *   grace periods, and before the return of later synchronize_rcu()s,
 *   the callbacks happen before the return of rcu_barrier().
 *
 * In other builds this file is empty.
 */
#ifdef __SANITIZE_THREAD__

#include <dlfcn.h>
#include <semaphore.h>
#include <stdlib.h>

#include <urcu-bp.h>

#include "tests/stress/check.h"

#define IN_FRONT __attribute__((visibility("default")))

void __tsan_acquire(void *addr);
void __tsan_release(void *addr);

static char sections;

struct deferred {
	struct rcu_head head;
	struct rcu_head *theirs;
	void (*fn)(struct rcu_head *head);
};

/* The function of liburcu. */
static void *behind(const char *name)
{
	void *fn = dlsym(RTLD_NEXT, name);

	CHECK(fn, "no %s", name);
	return fn;
}

IN_FRONT void urcu_bp_read_unlock(void)
{
	static void (*unlock)(void);

	if (!__atomic_load_n(&unlock, __ATOMIC_RELAXED))
		__atomic_store_n(&unlock, behind("urcu_bp_read_unlock"), __ATOMIC_RELAXED);
	__tsan_release(&sections);
	unlock();
}

static void run_deferred(struct rcu_head *head)
{
	struct deferred *deferred = caa_container_of(head, struct deferred, head);

	__tsan_acquire(deferred);
	__tsan_acquire(&sections);
	deferred->fn(deferred->theirs);
	free(deferred);
}

IN_FRONT void urcu_bp_call_rcu(struct rcu_head *head, void (*fn)(struct rcu_head *head))
{
	void (*call)(struct rcu_head *, void (*)(struct rcu_head *)) = behind("urcu_bp_call_rcu");
	struct deferred *deferred = malloc(sizeof(*deferred));

	CHECK(deferred, "no memory");
	deferred->theirs = head;
	deferred->fn = fn;
	__tsan_release(deferred);
	call(&deferred->head, run_deferred);
}

IN_FRONT void urcu_bp_synchronize_rcu(void)
{
	void (*synchronize)(void) = behind("urcu_bp_synchronize_rcu");

	synchronize();
	__tsan_acquire(&sections);
}

struct barrier {
	struct rcu_head head;
	sem_t passed;
};

static void pass_barrier(struct rcu_head *head)
{
	sem_post(&caa_container_of(head, struct barrier, head)->passed);
}

/* There is one thread for callbacks, and it takes them in turn. */
IN_FRONT void urcu_bp_barrier(void)
{
	struct barrier barrier;

	CHECK(!sem_init(&barrier.passed, 0, 0), "no semaphore");
	urcu_bp_call_rcu(&barrier.head, pass_barrier);
	while (sem_wait(&barrier.passed))
		;
	sem_destroy(&barrier.passed);
}

#else

/* ISO C wants a declaration in every file. */
typedef int rcu_tsan_is_off;

#endif
