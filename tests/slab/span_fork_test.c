/* SPDX-License-Identifier: MIT */
/* Spans in the child of a fork: all are there, and nobody has one to himself. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include <cgslab/slab.h>

#include "accounting/obj_stock.h"
#include "alloc/base/rcu.h"
#include "alloc/slab/heap.h"
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

/* ---- Spans that a fork cuts in two -------------------------------------------------- */

/* A thread in a group of its own is at @cut as the process forks; then at @mend. */
struct half {
	struct slab *(*cut)(struct heap *heap);
	void (*mend)(struct heap *heap, struct slab *span);
};

static struct mem_cgroup *other;

static void *stop_halfway(void *arg)
{
	struct half *half = arg;
	struct slab *span;

	set_active_memcg(other);
	kfree(kmalloc(100, GFP_KERNEL));
	span = half->cut(current_heap);
	store_release(&step, 1);
	wait_for(2);
	half->mend(current_heap, span);
	set_active_memcg(NULL);
	return NULL;
}

static void expect_no_span(void)
{
	const struct counters_record *record = other->memory.record;

	child_verify();
	CHILD_CHECK(record->span_bytes == 0);
	CHILD_CHECK(record->object_bytes == 0);
	CHILD_CHECK(mem_cgroup_kill(other, MEMCG_KILL_WIPE) == 0);
	CHILD_CHECK(mem_cgroup_usage(other) == 0);
	mem_cgroup_put(other);
	CHILD_CHECK(mem_cgroup_nr_dying_descendants(mem_cgroup_root()) == 0);
	child_verify();
}

static void expect_settled(struct half *half)
{
	pthread_t thread;

	other = mem_cgroup_create(NULL, "other");
	cr_assert_not_null(other);
	cr_assert_eq(pthread_create(&thread, NULL, stop_halfway, half), 0);
	wait_for(1);
	cr_expect_eq(child_run(fork, expect_no_span), 0);
	store_release(&step, 2);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	cr_expect_eq(mem_cgroup_verify(mem_cgroup_root(), NULL), 0);
	cr_expect_eq(other->memory.record->span_bytes, 0);
}

static struct slab *only_charge(struct heap *heap)
{
	cr_expect_eq(obj_stock_charge_span(&heap->stock, GFP_KERNEL, BYTES), 0);
	return NULL;
}

static void uncharge(struct heap *heap, struct slab *span)
{
	(void)span;
	if (obj_stock_credit_span(&heap->stock, BYTES))
		obj_stock_flush_span(&heap->stock, BYTES);
}

Test(span_fork, charged_but_not_made, .init = make)
{
	expect_settled(&(struct half){only_charge, uncharge});
}

static struct slab *make_unseen(struct heap *heap)
{
	bool zeroed;
	struct slab *span = span_create(&heap->stock, GFP_KERNEL, BYTES >> PAGE_SHIFT, 0, &zeroed);

	WRITE_ONCE(span->kind, SLAB_NONE);
	return span;
}

static void free_unseen(struct heap *heap, struct slab *span)
{
	(void)heap;
	WRITE_ONCE(span->kind, SLAB_SPAN);
	kfree(span->start);
}

/* It is on the list of its group, and counts for nothing. */
Test(span_fork, made_but_not_seen, .init = make)
{
	expect_settled(&(struct half){make_unseen, free_unseen});
}

static struct slab *make_without_run(struct heap *heap)
{
	struct slab *span = make_unseen(heap);

	uncharge(heap, NULL);
	page_map_set(span->start, PAGE_SIZE, 0);
	span->unpinned = (uint64_t)(uintptr_t)span->start;
	span->start = NULL;
	return span;
}

static void free_with_run(struct heap *heap, struct slab *span)
{
	span->start = (char *)(uintptr_t)span->unpinned;
	span_run_map(span);
	cr_expect_eq(obj_stock_charge_span(&heap->stock, GFP_KERNEL, BYTES), 0);
	free_unseen(heap, span);
}

Test(span_fork, without_memory_yet, .init = make)
{
	expect_settled(&(struct half){make_without_run, free_with_run});
}

static struct slab *uncharge_and_stop(struct heap *heap)
{
	struct slab *span = make_unseen(heap);

	uncharge(heap, NULL);
	WRITE_ONCE(span->kind, SLAB_SPAN_GONE);
	return span;
}

static void free_gone(struct heap *heap, struct slab *span)
{
	(void)heap;
	span_give_back(span);
}

Test(span_fork, uncharged_but_not_given_back, .init = make)
{
	expect_settled(&(struct half){uncharge_and_stop, free_gone});
}

static struct slab *take_back_half(struct heap *heap)
{
	struct slab *span = make_unseen(heap);

	WRITE_ONCE(span->kind, SLAB_SPAN_GONE);
	return span;
}

static void free_half(struct heap *heap, struct slab *span)
{
	uncharge(heap, NULL);
	free_gone(heap, span);
}

/* Not counted any more, and still charged: nobody will uncharge it. */
Test(span_fork, gone_but_not_uncharged, .init = make)
{
	expect_settled(&(struct half){take_back_half, free_half});
}

/* ---- Amid a birth ------------------------------------------------------------------- */

#ifdef __x86_64__

#define TRAP_FLAG 0x100

static struct mem_cgroup *cut_group;
static int cuts; /* atomic: 1, a fork may come; 2, it has been */

/* After each instruction: from when the span is on the list of its group on there is time to fork.
 */
static void stop_here(int signal)
{
	(void)signal;
	if (!cut_group->objcg->spans.first)
		return;
	store_release(&cuts, max_t(int, load_acquire(&cuts), 1));
	for (int i = 0; i < 20 && load_acquire(&cuts) == 1; i++)
		os_sleep_us(1000);
}

static void set_trap(bool on)
{
	unsigned long flags = __builtin_ia32_readeflags_u64();

	__builtin_ia32_writeeflags_u64(on ? flags | TRAP_FLAG : flags & ~(unsigned long)TRAP_FLAG);
}

static void *alloc_in_steps(void *arg)
{
	set_active_memcg(cut_group);
	kfree(kmalloc(1, GFP_KERNEL)); /* all that a first one needs */
	set_trap(true);
	*(struct span **)arg = span_alloc(BYTES, GFP_KERNEL);
	set_trap(false);
	return NULL;
}

static void kill_cut(void)
{
	CHILD_CHECK(cut_group->objcg->spans.first);
	CHILD_CHECK(mem_cgroup_kill(cut_group, 0) == 0);
	child_verify();
}

/* What is a span by half, and was never one before, goes with its group. */
Test(span_fork, kill_of_one_that_was_being_made, .init = make, .timeout = 60)
{
	struct sigaction action = {.sa_handler = stop_here};
	struct span *span = NULL;
	pthread_t thread;

	cut_group = mem_cgroup_create(NULL, "cut");
	cr_assert(cut_group);
	cr_assert_eq(sigaction(SIGTRAP, &action, NULL), 0);
	cr_assert_eq(pthread_create(&thread, NULL, alloc_in_steps, &span), 0);
	while (load_acquire(&cuts) == 0)
		os_sleep_us(100);
	cr_expect_eq(child_run(fork, kill_cut), 0);
	store_release(&cuts, 2);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	cr_assert(span);
	span_put(span);
}

#endif
