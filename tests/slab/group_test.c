/* SPDX-License-Identifier: MIT */
/* Which group is charged, by which thread, and what a limit does. */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <urcu-bp.h>

#include <cgslab/memcg.h>
#include <cgslab/slab.h>

#include "accounting/obj_stock.h"
#include "alloc/base/meta.h"
#include "alloc/pages/page_purger.h"
#include "alloc/slab/heap.h"
#include "alloc/slab/task.h"

static struct mem_cgroup *a, *b;

static void make(void)
{
	a = mem_cgroup_create(NULL, "a");
	b = mem_cgroup_create(NULL, "b");
	cr_assert(a && b);
}

static uint64_t live_bytes(struct mem_cgroup *memcg)
{
	struct mem_cgroup_stat stat = {.size = sizeof(stat)};

	cr_assert_eq(mem_cgroup_stat(memcg, &stat), 0);
	cr_assert_eq(mem_cgroup_verify(memcg, NULL), 0);
	return stat.object_bytes + stat.span_bytes;
}

static unsigned int heaps(struct mem_cgroup *memcg)
{
	unsigned int n = 0;

	for (struct heap *heap = memcg_first_heap(memcg); heap; heap = heap->next)
		n++;
	return n;
}

static void *in_thread(void *(*fn)(void *), void *arg)
{
	pthread_t thread;
	void *ret;

	cr_assert_eq(pthread_create(&thread, NULL, fn, arg), 0);
	cr_assert_eq(pthread_join(thread, &ret), 0);
	return ret;
}

/* ---- set_active_memcg() --------------------------------------------------- */

Test(group, nesting, .init = make)
{
	struct mem_cgroup *home = mem_cgroup_current();
	struct mem_cgroup *old, *older;
	void *first, *second;

	errno = 4711;
	older = set_active_memcg(a);
	cr_expect_null(older);
	cr_expect_eq(mem_cgroup_current(), a);
	first = kmalloc(1000, GFP_KERNEL);
	old = set_active_memcg(b);
	cr_expect_eq(old, a);
	second = kmalloc(100000, GFP_KERNEL);
	cr_expect_eq(set_active_memcg(b), b, "again");
	cr_expect_eq(live_bytes(a), ksize(first));
	cr_expect_eq(live_bytes(b), ksize(second));
	cr_expect_eq(set_active_memcg(old), b);
	cr_expect_eq(mem_cgroup_current(), a);
	kfree(second); /* it is b's, wherever it is freed */
	cr_expect_eq(live_bytes(b), 0);
	cr_expect_eq(set_active_memcg(older), a);
	cr_expect_eq(mem_cgroup_current(), home);
	kfree(first);
	cr_expect_eq(live_bytes(a), 0);
	cr_expect_eq(errno, 4711);
}

Test(group, a_removed_group_is_not_entered, .init = make)
{
	set_active_memcg(b);
	cr_assert_eq(mem_cgroup_rmdir(a), 0);
	errno = 0;
	cr_expect_eq(set_active_memcg(a), b);
	cr_expect_eq(errno, ENODEV);
	cr_expect_eq(mem_cgroup_current(), b);
	cr_expect_eq(mem_cgroup_attach(a), -ENODEV);
	set_active_memcg(NULL);
	cr_expect_eq(mem_cgroup_attach(a), -ENODEV);
	mem_cgroup_put(a);
}

Test(group, home, .init = make)
{
	struct mem_cgroup *process = mem_cgroup_current();
	void *block;

	cr_expect_eq(mem_cgroup_attach(a), 0);
	cr_expect_eq(mem_cgroup_current(), a);
	set_active_memcg(b);
	cr_expect_eq(mem_cgroup_current(), b);
	set_active_memcg(NULL);
	cr_expect_eq(mem_cgroup_current(), a, "back home");
	block = kmalloc(1000, GFP_KERNEL);
	cr_expect_eq(live_bytes(a), ksize(block));
	cr_expect_eq(mem_cgroup_attach(NULL), 0);
	cr_expect_eq(mem_cgroup_current(), process);
	kfree(block);
}

static void *heaps_with_me_in_a(void *arg)
{
	(void)arg;
	set_active_memcg(a);
	return (void *)(uintptr_t)heaps(a);
}

Test(group, a_home_is_kept_while_its_thread_is_elsewhere, .init = make)
{
	struct heap *heap;

	cr_assert_eq(mem_cgroup_attach(a), 0);
	heap = current_heap;
	set_active_memcg(b);
	cr_expect_eq(mem_cgroup_rmdir(a), -EBUSY);
	cr_expect_eq((uintptr_t)in_thread(heaps_with_me_in_a, NULL), 2, "not the same heap");
	set_active_memcg(a);
	cr_expect_eq(current_heap, heap);
	set_active_memcg(b);
	set_active_memcg(NULL);
	cr_expect_eq(current_heap, heap);
	cr_expect_eq(mem_cgroup_attach(b), 0);
	cr_expect_eq(mem_cgroup_rmdir(a), 0, "its home is elsewhere now");
	cr_expect_eq(mem_cgroup_attach(NULL), 0);
	cr_expect_eq(mem_cgroup_rmdir(b), 0);
}

static void *leave_a_behind(void *arg)
{
	cr_assert_eq(mem_cgroup_attach(a), 0);
	kfree(kmalloc(100, GFP_KERNEL));
	set_active_memcg(b);
	return arg;
}

Test(group, a_home_is_let_go_by_a_thread_that_ends_elsewhere, .init = make)
{
	in_thread(leave_a_behind, NULL);
	cr_expect_eq(mem_cgroup_usage(a), 0, "nothing stays in its stock");
	cr_expect_eq(mem_cgroup_rmdir(a), 0);
	cr_expect_eq(mem_cgroup_rmdir(b), 0);
}

/* A group that somebody is in cannot be removed, and trying harms nobody. */
static struct mem_cgroup *busy;
static bool stop;

static void *try_to_remove(void *arg)
{
	(void)arg;
	while (!READ_ONCE(stop))
		if (mem_cgroup_rmdir(busy) != -EBUSY)
			return "a group with a thread inside was removed";
	return NULL;
}

static void *come_and_go(void *arg)
{
	(void)arg;
	for (int i = 0; i < 5000000; i++) {
		errno = 0;
		set_active_memcg(busy);
		if (errno || mem_cgroup_current() != busy)
			return "a group that was not removed could not be entered";
		set_active_memcg(NULL);
	}
	return NULL;
}

Test(group, rmdir_that_fails_keeps_nobody_out, .init = make)
{
	pthread_t remover;
	void *error;

	busy = a;
	set_active_memcg(busy);
	cr_assert_eq(pthread_create(&remover, NULL, try_to_remove, NULL), 0);
	error = in_thread(come_and_go, NULL);
	cr_expect_null(error, "%s", (char *)error);
	WRITE_ONCE(stop, true);
	cr_assert_eq(pthread_join(remover, &error), 0);
	cr_expect_null(error, "%s", (char *)error);
}

/* ---- Threads ------------------------------------------------------------------ */

#define BLOCKS 500

static void *blocks[BLOCKS];

static void *fill_a(void *arg)
{
	set_active_memcg(a);
	for (int i = 0; i < BLOCKS; i++)
		blocks[i] = kmalloc((size_t)(i * 97) % 8000, GFP_KERNEL);
	return arg;
}

static void *free_in_b(void *arg)
{
	set_active_memcg(b);
	for (int i = 0; i < BLOCKS; i++)
		kfree(blocks[i]);
	return arg;
}

Test(group, a_free_from_elsewhere_credits_the_owner, .init = make)
{
	uint64_t usage;

	in_thread(fill_a, NULL);
	usage = mem_cgroup_usage(a);
	in_thread(free_in_b, NULL);
	cr_expect_eq(live_bytes(a), 0);
	cr_expect_eq(live_bytes(b), 0);
	/* Nobody in a had to do anything for it. */
	cr_expect_lt(mem_cgroup_usage(a), usage);
	cr_expect_lt(mem_cgroup_usage(a), 3 * PAGE_SIZE);
	cr_expect_eq(mem_cgroup_usage(b), 0);
}

/* The last free of a parked heap's slab gives it back. */
Test(group, parked_heaps_keep_no_empty_slabs, .init = make)
{
	struct mem_cgroup_stat stat = {.size = sizeof(stat)};

	in_thread(fill_a, NULL);
	in_thread(free_in_b, NULL);
	cr_assert_eq(mem_cgroup_stat(a, &stat), 0);
	cr_expect_eq(stat.slab_bytes, 0, "%lu bytes", (unsigned long)stat.slab_bytes);
}

static uint64_t bytes_of_slabs(struct mem_cgroup *memcg)
{
	struct mem_cgroup_stat stat = {.size = sizeof(stat)};

	cr_assert_eq(mem_cgroup_stat(memcg, &stat), 0);
	return stat.slab_bytes;
}

/* Who comes home collects what others freed there. */
Test(group, a_home_is_tidied_up, .init = make)
{
	uint64_t before;

	cr_assert_eq(mem_cgroup_attach(a), 0);
	fill_a(NULL);
	set_active_memcg(b);
	in_thread(free_in_b, NULL);
	before = bytes_of_slabs(a);
	set_active_memcg(NULL);
	cr_expect_lt(bytes_of_slabs(a), before / 2);
	cr_expect_eq(live_bytes(a), 0);
	cr_expect_eq(mem_cgroup_attach(NULL), 0);
}

/* ---- Empty slabs that are kept ------------------------------------------- */

#define MANY 64 /* of the largest objects */

static void fill_and_empty(void)
{
	void *large[MANY];

	for (int i = 0; i < MANY; i++)
		large[i] = kmalloc(KMALLOC_MAX_CACHE_SIZE, GFP_KERNEL);
	for (int i = 0; i < MANY; i++)
		kfree(large[i]);
}

/* Most of it stays, as somebody looks after it; then that somebody comes. */
Test(group, empty_slabs_go_when_they_are_not_used, .init = make)
{
	const uint64_t all = MANY * KMALLOC_MAX_CACHE_SIZE;

	set_active_memcg(a);
	fill_and_empty();
	cr_expect_lt(bytes_of_slabs(a), all / 2, "nobody would give them back");
	WRITE_ONCE(page_purger, PURGER_RUNS);
	fill_and_empty();
	cr_expect_gt(bytes_of_slabs(a), all / 2);
	for (int i = 0; i < 4; i++) {
		cr_expect(heaps_decay());
		fill_and_empty(); /* in use again */
	}
	cr_expect_gt(bytes_of_slabs(a), all / 2);
	for (int i = 0; i < 10; i++)
		heaps_decay();
	cr_expect_not(heaps_decay());
	cr_expect_lt(bytes_of_slabs(a), all / 4);
	cr_expect_eq(live_bytes(a), 0);
	WRITE_ONCE(page_purger, PURGER_IDLE);
}

/* Slabs of other sizes are taken before there are more. */
Test(group, kept_slabs_make_room_for_others, .init = make)
{
	static void *others[MANY * 8];
	uint64_t before;

	set_active_memcg(a);
	WRITE_ONCE(page_purger, PURGER_RUNS);
	fill_and_empty();
	before = bytes_of_slabs(a);
	for (int i = 0; i < MANY * 4; i++)
		others[i] = kmalloc(8192, GFP_KERNEL);
	cr_expect_leq(bytes_of_slabs(a), before + before / 2);
	for (int i = 0; i < MANY * 4; i++)
		kfree(others[i]);
	cr_expect_eq(live_bytes(a), 0);
	WRITE_ONCE(page_purger, PURGER_IDLE);
}

/* Other processes read the record. */
Test(group, the_record_tells_of_slabs_that_others_emptied, .init = make)
{
	in_thread(fill_a, NULL);
	cr_expect_neq(READ_ONCE(a->memory.record->slab_bytes), 0);
	in_thread(free_in_b, NULL);
	cr_expect_eq(READ_ONCE(a->memory.record->slab_bytes), 0, "%ld bytes",
		     (long)READ_ONCE(a->memory.record->slab_bytes));
}

#define STRAYS 8

/* The bytes that the record says are live, once no stock has anything to tell. */
static int64_t recorded_bytes(struct mem_cgroup *memcg)
{
	heaps_shrink();
	return READ_ONCE(memcg->memory.record->object_bytes);
}

static struct mem_cgroup *strays_of[2 * TASK_STOCKS];
static void *strays[ARRAY_SIZE(strays_of)][STRAYS];

static void *free_strays(void *arg)
{
	for (int i = 0; i < STRAYS; i++) {
		for (size_t g = 0; g < ARRAY_SIZE(strays_of); g++) {
			kfree(strays[g][i]);
			cr_expect_eq(live_bytes(strays_of[g]),
				     1024ul * (unsigned int)(STRAYS - 1 - i));
		}
	}
	return arg;
}

/* Each free is of another group than the one before, and there are more than stocks. */
Test(group, the_record_tells_of_strays)
{
	for (size_t g = 0; g < ARRAY_SIZE(strays_of); g++) {
		char name[16];

		snprintf(name, sizeof(name), "stray-%zu", g);
		strays_of[g] = mem_cgroup_create(NULL, name);
		cr_assert_not_null(strays_of[g]);
		set_active_memcg(strays_of[g]);
		for (int i = 0; i < STRAYS; i++)
			strays[g][i] = kmalloc(1000, GFP_KERNEL);
	}
	set_active_memcg(NULL);
	for (size_t g = 0; g < ARRAY_SIZE(strays_of); g++)
		cr_expect_eq(recorded_bytes(strays_of[g]), 1024 * STRAYS);
	in_thread(free_strays, NULL); /* when it ends, its stocks tell what they know */
	for (size_t g = 0; g < ARRAY_SIZE(strays_of); g++) {
		cr_expect_eq(recorded_bytes(strays_of[g]), 0);
		cr_expect_eq(mem_cgroup_usage(strays_of[g]), 0);
	}
}

/* By another heap of the group, as the first is taken. */
static void *free_in_a(void *arg)
{
	set_active_memcg(a);
	in_thread(fill_a, NULL);
	for (int i = 0; i < BLOCKS; i++)
		kfree(blocks[i]);
	return arg;
}

Test(group, frees_of_the_same_group_leave_nothing_in_parked_heaps, .init = make)
{
	in_thread(free_in_a, NULL);
	cr_expect_eq(bytes_of_slabs(a), 0, "%lu bytes", (unsigned long)bytes_of_slabs(a));
	cr_expect_eq(live_bytes(a), 0);
}

/* Full sheaves only, so that the last push is not made by the thread's end. */
#define FULL_SHEAVES (8 * SHEAF_OBJECTS)

static pthread_barrier_t filled;

/* Leaves something to give back at its end, so that this takes its time. */
static void *fill_and_end(void *arg)
{
	void *more[BLOCKS];

	set_active_memcg(a);
	for (int i = 0; i < FULL_SHEAVES; i++)
		blocks[i] = kmalloc(64, GFP_KERNEL);
	for (int i = 0; i < BLOCKS; i++)
		more[i] = kmalloc((size_t)(i * 97) % 8000, GFP_KERNEL);
	for (int i = 0; i < BLOCKS; i++)
		kfree(more[i]);
	pthread_barrier_wait(&filled);
	return arg;
}

static void *free_meanwhile(void *arg)
{
	int pause = *(int *)arg % 50 * 100;
	pthread_t thread;

	set_active_memcg(a);
	cr_assert_eq(pthread_create(&thread, NULL, fill_and_end, NULL), 0);
	pthread_barrier_wait(&filled);
	for (int i = 0; i < FULL_SHEAVES; i++) {
		if (i % SHEAF_OBJECTS == 0)
			for (int j = 0; j < pause; j++)
				barrier();
		kfree(blocks[i]);
	}
	cr_assert_eq(pthread_join(thread, NULL), 0);
	return arg;
}

/* Whenever the last sheaf comes, somebody takes it in. */
Test(group, frees_while_a_thread_ends_leave_nothing, .init = make)
{
	cr_assert(FULL_SHEAVES <= BLOCKS);
	pthread_barrier_init(&filled, NULL, 2);
	for (int i = 0; i < 500; i++) {
		in_thread(free_meanwhile, &i);
		cr_assert_eq(bytes_of_slabs(a), 0, "%lu bytes after %d",
			     (unsigned long)bytes_of_slabs(a), i);
	}
}

/* Heaps with tables for many caches are used again with their tables. */
Test(group, removed_groups_leave_no_tables)
{
	struct kmem_cache *caches[500];
	size_t metadata = 0;

	for (int i = 0; i < 500; i++)
		caches[i] = kmem_cache_create("many", 64, 0, 0, NULL);
	for (int i = 0; i < 400; i++) {
		struct mem_cgroup *memcg = mem_cgroup_create(NULL, "passing");

		set_active_memcg(memcg);
		kmem_cache_free(caches[499], kmem_cache_alloc(caches[499], GFP_KERNEL));
		set_active_memcg(NULL);
		cr_assert_eq(mem_cgroup_rmdir(memcg), 0);
		mem_cgroup_put(memcg);
		rcu_barrier(); /* groups and their records come back */
		if (i == 10)
			metadata = meta_committed();
	}
	cr_expect_leq(meta_committed() - metadata, 128 << 10, "grown by %zu",
		      meta_committed() - metadata);
}

Test(group, threads_hand_their_heaps_on, .init = make)
{
	for (int i = 0; i < 300; i++) {
		in_thread(fill_a, NULL);
		in_thread(free_in_b, NULL);
	}
	cr_expect_eq(heaps(a), 1, "%u heaps", heaps(a));
	cr_expect_eq(heaps(b), 1, "%u heaps", heaps(b));
}

/* ---- Threads that run destructors after the library's own ---------------------- */

static pthread_key_t late_key;
static struct obj_cgroup *late_objcg;
static struct mem_cgroup *late_group;

static void work_late(void *arg)
{
	long round = (long)arg;
	void *block = kmalloc(1000, GFP_KERNEL);
	void *large = kmalloc(100000, GFP_KERNEL);

	cr_assert(block && large);
	kfree(large);
	kfree(block);
	if (round < 3) { /* once more, when everybody else had his turn */
		pthread_setspecific(late_key, (void *)(round + 1));
		return;
	}
	cr_assert_eq(obj_cgroup_charge(late_objcg, GFP_KERNEL, 5000), 0);
	obj_cgroup_uncharge(late_objcg, 5000);
	errno = 0;
	set_active_memcg(late_group);
	mem_cgroup_attach(late_group);
	cr_assert_not_null(mem_cgroup_current());
	block = kmalloc(500, GFP_KERNEL);
	cr_assert_not_null(block);
	kfree(block);
	set_active_memcg(late_group);
}

static void *end_late(void *arg)
{
	kfree(kmalloc(100, GFP_KERNEL));
	pthread_setspecific(late_key, (void *)1l);
	return arg;
}

#define NEWCOMERS 200 /* more than liburcu has room for at first */

static pthread_barrier_t newcomers;

/* Returns the errno of a thread whose first call it is. */
static void *come_in(void *arg)
{
	int err;

	errno = 0;
	set_active_memcg(arg);
	err = errno;
	pthread_barrier_wait(&newcomers);
	return (void *)(intptr_t)err;
}

Test(group, entering_keeps_errno, .init = make)
{
	pthread_t threads[NEWCOMERS];
	void *err;

	cr_assert(!pthread_barrier_init(&newcomers, NULL, NEWCOMERS));
	for (int i = 0; i < NEWCOMERS; i++)
		cr_assert(!pthread_create(&threads[i], NULL, come_in, a));
	for (int i = 0; i < NEWCOMERS; i++) {
		cr_assert(!pthread_join(threads[i], &err));
		cr_expect_null(err, "errno %d", (int)(intptr_t)err);
	}
	pthread_barrier_destroy(&newcomers);
}

Test(group, work_after_the_end_leaves_nothing, .init = make)
{
	struct mem_cgroup *process = mem_cgroup_current();

	cr_assert_eq(pthread_key_create(&late_key, work_late), 0);
	set_active_memcg(a);
	late_objcg = get_obj_cgroup_from_current();
	set_active_memcg(NULL);
	late_group = b;
	for (int i = 0; i < 100; i++)
		in_thread(end_late, NULL);
	cr_expect_leq(heaps(process), 3, "%u heaps", heaps(process));
	cr_expect_leq(heaps(b), 1);
	cr_expect_eq(live_bytes(a), 0);
	cr_expect_eq(mem_cgroup_verify(mem_cgroup_root(), NULL), 0);
	cr_expect_eq(mem_cgroup_rmdir(b), 0, "nobody is inside");
}

/* ---- Limits ----------------------------------------------------------------------- */

Test(group, a_limit_refuses_softly_and_frees_recover, .init = make)
{
	static void *mine[4096];
	int n = 0;

	cr_assert_eq(mem_cgroup_set_max(a, 1 << 20), 0);
	set_active_memcg(a);
	for (int round = 0; round < 5; round++) {
		while ((mine[n] = kmalloc(1000, GFP_KERNEL)))
			memset(mine[n++], round, 1000);
		cr_expect_eq(errno, ENOMEM);
		cr_expect_geq(n, 1000);
		cr_expect_leq(mem_cgroup_usage(a), 1 << 20);
		for (int i = 0; i < n; i++)
			cr_assert_eq(*(char *)mine[i], round);
		while (n)
			kfree(mine[--n]);
		cr_expect_eq(live_bytes(a), 0);
	}
	cr_expect_eq(mem_cgroup_event(a, MEMCG_EVENT_OOM), 5);
	cr_expect_leq(mem_cgroup_peak(a), 1 << 20);
	set_active_memcg(NULL);
	cr_expect_not_null(kmalloc(5 << 20, GFP_KERNEL), "others do not notice");
}

/* ---- Numbers ----------------------------------------------------------------------- */

Test(group, stat_is_what_was_allocated, .init = make)
{
	struct mem_cgroup_stat stat = {.size = sizeof(stat)};
	struct obj_cgroup *objcg;
	struct mem_cgroup *child = mem_cgroup_create(a, "child");
	void *mine[300];
	uint64_t bytes = 0;

	set_active_memcg(child);
	for (int i = 0; i < 300; i++) {
		mine[i] = kmalloc(700, GFP_KERNEL);
		bytes += ksize(mine[i]);
	}
	cr_expect_eq(bytes, 300 * 768);
	kmalloc(100000, GFP_KERNEL); /* 25 pages */
	objcg = get_obj_cgroup_from_current();
	obj_cgroup_charge(objcg, GFP_KERNEL, 333);
	cr_assert_eq(mem_cgroup_stat(a, &stat), 0);
	cr_expect_eq(stat.object_bytes, bytes + 333);
	cr_expect_eq(stat.objects, 300);
	cr_expect_eq(stat.span_bytes, 25 * 4096);
	cr_expect_eq(stat.current, mem_cgroup_usage(a));
	cr_expect_eq(stat.current, stat.object_bytes + stat.span_bytes + stat.stock_bytes);
	cr_expect_geq(stat.slab_bytes, bytes);
	cr_expect_eq(stat.waste_bytes, stat.slab_bytes - bytes);
	for (int i = 0; i < 300; i += 2)
		kfree(mine[i]);
	cr_assert_eq(mem_cgroup_stat(a, &stat), 0);
	cr_expect_eq(stat.object_bytes, bytes / 2 + 333);
	cr_expect_eq(stat.objects, 150);
	stat.size--;
	cr_expect_eq(mem_cgroup_stat(a, &stat), -EINVAL);
}

Test(group, verify_sees_a_wrong_counter, .init = make)
{
	struct mem_cgroup_identity sum;

	set_active_memcg(a);
	cr_assert_not_null(kmalloc(1000, GFP_KERNEL));
	cr_assert_eq(mem_cgroup_verify(a, &sum), 0);
	cr_expect_eq(sum.object_bytes, 1024);
	a->memory.level->usage++;
	cr_expect_eq(mem_cgroup_verify(a, &sum), -EUCLEAN);
	cr_expect_eq(sum.usage, sum.object_bytes + sum.span_bytes + sum.stock_bytes +
					sum.leftover_bytes + 4096);
	cr_expect_eq(mem_cgroup_verify(b, NULL), 0);
	a->memory.level->usage--;
	cr_expect_eq(mem_cgroup_verify(a, NULL), 0);
	cr_expect_eq(mem_cgroup_verify(mem_cgroup_root(), NULL), 0);
}
