/* SPDX-License-Identifier: MIT */
/* Spans in the child of a fork: all are there, and nobody has one to himself. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>

#include <cgslab/slab.h>

#include "accounting/obj_stock.h"
#include "alloc/base/rcu.h"
#include "alloc/slab/span.h"
#include "tests/slab/child.h"

#define SPANS 8
#define BYTES ((size_t)128 << 10)
#define FORKS 100

static struct mem_cgroup *group;
static struct span *spans[SPANS];

static void make(void)
{
	group = mem_cgroup_create(NULL, "forking");
	cr_assert(group);
	set_active_memcg(group);
	for (int i = 0; i < SPANS; i++) {
		spans[i] = span_alloc(BYTES, GFP_KERNEL);
		cr_assert(spans[i]);
		memset(span_pin(spans[i]), i, BYTES);
		span_unpin(spans[i]);
	}
}

static void check_content(int i)
{
	const char *data = span_pin(spans[i]);

	CHILD_CHECK(data && data[0] == i && data[BYTES - 1] == i);
	span_unpin(spans[i]);
}

/* ---- What a child has ------------------------------------------------------------- */

static void use_all(void)
{
	child_verify();
	CHILD_CHECK(span_isolate(span_slab(spans[0])) == -EBUSY);
	span_unpin(spans[0]);
	for (int i = 0; i < SPANS; i++) {
		check_content(i);
		CHILD_CHECK(span_memcg(spans[i]) == group);
		CHILD_CHECK(span_isolate(span_slab(spans[i])) == 0);
		span_putback(span_slab(spans[i]));
		span_put(spans[i]);
	}
	check_content(1);
	span_put(spans[1]);
	child_verify();
	CHILD_CHECK(mem_cgroup_usage(group) == 0);
}

/* With its pins and references, which are its own from then on. */
Test(span_fork, child_has_all, .init = make)
{
	cr_assert(span_pin(spans[0]));
	span_get(spans[1]);
	cr_expect_eq(child_run(fork, use_all), 0);
	cr_expect(span_is_pinned(span_slab(spans[0])));
	cr_expect_eq(span_slab(spans[1])->refs, 2);
	for (int i = 0; i < SPANS; i++)
		check_content(i);
}

static int step; /* atomic */

static void wait_for(int wanted)
{
	while (load_acquire(&step) < wanted)
		os_sleep_us(100);
}

static void *pin_until_told(void *arg)
{
	cr_assert(span_pin(arg));
	store_release(&step, 1);
	wait_for(2);
	span_unpin(arg);
	return NULL;
}

static void put_first(void)
{
	CHILD_CHECK(span_is_pinned(span_slab(spans[0])));
	span_put(spans[0]);
	child_verify();
	CHILD_CHECK(mem_cgroup_usage(group) == (SPANS - 1) * BYTES);
}

/* The child is free to let go of what a lost thread had pinned. */
Test(span_fork, pin_of_a_lost_thread, .init = make)
{
	pthread_t thread;

	cr_assert_eq(pthread_create(&thread, NULL, pin_until_told, spans[0]), 0);
	wait_for(1);
	cr_expect_eq(child_run(fork, put_first), 0);
	store_release(&step, 2);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	check_content(0);
}

/* ---- The gate --------------------------------------------------------------------- */

static void nothing(void)
{
}

static void *fork_once(void *arg)
{
	store_release(&step, 1);
	*(int *)arg = child_run(fork, nothing);
	store_release(&step, 2);
	return NULL;
}

Test(span_fork, waits_for_those_within, .init = make)
{
	int status = -1;
	pthread_t thread;

	span_gate_enter();
	cr_assert_eq(pthread_create(&thread, NULL, fork_once, &status), 0);
	wait_for(1);
	os_sleep_us(20000);
	cr_expect_eq(load_acquire(&step), 1);
	/* Who is within may go on. */
	cr_assert_eq(span_isolate(span_slab(spans[0])), 0);
	span_putback(span_slab(spans[0]));
	cr_expect_eq(load_acquire(&step), 1);
	span_gate_leave();
	cr_assert_eq(pthread_join(thread, NULL), 0);
	cr_expect_eq(status, 0);
	/* And it is open again. */
	cr_assert_eq(span_isolate(span_slab(spans[0])), 0);
	span_putback(span_slab(spans[0]));
}

static void *isolate_in_read_section(void *arg)
{
	rcu_read_lock();
	cr_assert_eq(span_isolate(span_slab(arg)), 0);
	span_putback(span_slab(arg));
	rcu_read_unlock();
	return NULL;
}

static void *wait_for_readers(void *arg)
{
	(void)arg;
	synchronize_rcu();
	return NULL;
}

/* Who waits for the fork may be waited for by others, and the fork not for those. */
Test(span_fork, amid_a_grace_period, .init = make, .timeout = 20)
{
	pthread_t forks, reads, waits;
	int status = -1;

	span_gate_enter();
	cr_assert_eq(pthread_create(&forks, NULL, fork_once, &status), 0);
	os_sleep_us(20000);
	cr_assert_eq(pthread_create(&reads, NULL, isolate_in_read_section, spans[0]), 0);
	os_sleep_us(20000);
	cr_assert_eq(pthread_create(&waits, NULL, wait_for_readers, NULL), 0);
	os_sleep_us(20000);
	span_gate_leave();
	cr_assert_eq(pthread_join(forks, NULL), 0);
	cr_assert_eq(pthread_join(reads, NULL), 0);
	cr_assert_eq(pthread_join(waits, NULL), 0);
	cr_expect_eq(status, 0);
}

static void *isolate_all(void *arg)
{
	(void)arg;
	for (int i = 0; load_acquire(&step) == 0; i++) {
		struct slab *span = span_slab(spans[i % SPANS]);

		span_get(slab_span(span));
		if (span_isolate(span) == 0) {
			os_sleep_us(50);
			span_putback(span);
		}
		span_put(slab_span(span));
	}
	return NULL;
}

static void isolate_each(void)
{
	for (int i = 0; i < SPANS; i++) {
		CHILD_CHECK(!(span_slab(spans[i])->state & SPAN_BUSY));
		check_content(i);
		CHILD_CHECK(span_isolate(span_slab(spans[i])) == 0);
		span_putback(span_slab(spans[i]));
	}
	child_verify();
}

/* Threads that have one nearly all the time are lost. */
Test(span_fork, nobody_has_one, .init = make)
{
	pthread_t threads[2];

	for (int i = 0; i < 2; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, isolate_all, NULL), 0);
	for (int i = 0; i < FORKS; i++)
		cr_assert_eq(child_run(fork, isolate_each), 0);
	store_release(&step, 1);
	for (int i = 0; i < 2; i++)
		cr_assert_eq(pthread_join(threads[i], NULL), 0);
	isolate_each();
}
