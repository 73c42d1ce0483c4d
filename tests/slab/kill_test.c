/* SPDX-License-Identifier: MIT */
/* A group that goes with all it has. */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include <urcu-bp.h>

#include <cgslab/memcg.h>
#include <cgslab/slab.h>

#include "accounting/obj_stock.h"
#include "alloc/pages/page_run.h"
#include "alloc/slab/debug.h"

#define OBJECTS 2000
#define SPANS	5
#define CHARGE	12345

static struct mem_cgroup *top, *group, *below;
static void *objects[OBJECTS], *spans[SPANS];
static struct obj_cgroup *objcg;

static void in_thread(void *(*fn)(void *), void *arg)
{
	pthread_t thread;

	cr_assert_eq(pthread_create(&thread, NULL, fn, arg), 0);
	cr_assert_eq(pthread_join(thread, NULL), 0);
}

static struct mem_cgroup_stat stat_of(struct mem_cgroup *memcg)
{
	struct mem_cgroup_stat stat = {.size = sizeof(stat)};

	cr_assert_eq(mem_cgroup_verify(memcg, NULL), 0);
	cr_assert_eq(mem_cgroup_stat(memcg, &stat), 0);
	return stat;
}

static void fill_here(void)
{
	for (int i = 0; i < OBJECTS; i++)
		objects[i] = kmalloc((size_t)(i * 131) % 9000, GFP_KERNEL);
	for (int i = 0; i < SPANS; i++)
		spans[i] = kmalloc(100000 * (size_t)(i + 1), GFP_KERNEL);
}

static void *fill(void *memcg)
{
	set_active_memcg(memcg);
	fill_here();
	return NULL;
}

static void make(void)
{
	top = mem_cgroup_create(NULL, "top");
	group = mem_cgroup_create(top, "group");
	below = mem_cgroup_create(group, "below");
	cr_assert(top && group && below);
}

/* No object, no span and no page of a slab is left to @memcg. */
static void expect_nothing(struct mem_cgroup *memcg)
{
	const struct counters_record *record = memcg->memory.record;
	struct mem_cgroup_stat stat = stat_of(memcg);

	cr_expect_eq(stat.objects, 0);
	cr_expect_eq(stat.object_bytes, 0);
	cr_expect_eq(stat.span_bytes, 0);
	cr_expect_eq(stat.slab_bytes, 0);
	cr_expect_eq(stat.current, 0, "%lu bytes", (unsigned long)stat.current);
	cr_expect_eq(record->objects, 0);
	cr_expect_eq(record->object_bytes, 0);
	cr_expect_eq(record->span_bytes, 0);
	cr_expect_eq(record->slab_bytes, 0);
}

static void expect_killed(struct mem_cgroup *memcg, unsigned int flags)
{
	cr_expect_eq(mem_cgroup_kill(memcg, flags), 0);
	expect_nothing(top);
	page_runs_validate();
}

Test(kill, all_it_has, .init = make)
{
	in_thread(fill, group);
	in_thread(fill, below);
	expect_killed(group, 0);
	cr_expect_eq(mem_cgroup_kill(group, 0), -ENODEV);
	cr_expect_eq(mem_cgroup_kill(below, 0), -ENODEV);
	cr_expect_eq(mem_cgroup_rmdir(below), -ENODEV);
	cr_expect_null(mem_cgroup_lookup(top, "group"));
	mem_cgroup_put(group);
	mem_cgroup_put(below);
	cr_expect_eq(mem_cgroup_nr_dying_descendants(top), 0, "at once");
	cr_expect_eq(mem_cgroup_rmdir(top), 0, "no child is left");
	mem_cgroup_put(top);
}

Test(kill, nothing_is_less_than_nothing, .init = make)
{
	expect_killed(group, 0);
	expect_killed(mem_cgroup_create(top, "group"), MEMCG_KILL_WIPE);
}

Test(kill, not_these, .init = make)
{
	cr_expect_eq(mem_cgroup_kill(mem_cgroup_root(), 0), -EINVAL);
	cr_expect_eq(mem_cgroup_kill(mem_cgroup_parent(top), 0), -EINVAL, "the process's");
	cr_expect_eq(mem_cgroup_kill(group, MEMCG_KILL_WIPE << 1), -EINVAL);
	cr_expect_eq(mem_cgroup_kill(below, 0), 0);
}

/* A thread far below: all of them stay as they are. */
Test(kill, all_or_nothing, .init = make)
{
	struct mem_cgroup *groups[] = {group, below};
	struct mem_cgroup_stat before;

	in_thread(fill, group);
	set_active_memcg(below);
	fill_here();
	before = stat_of(top);
	cr_expect_eq(mem_cgroup_kill(group, 0), -EBUSY);
	cr_expect_eq(mem_cgroup_kill(top, 0), -EBUSY);
	cr_expect_eq(memcmp(&before, &(struct mem_cgroup_stat[]){stat_of(top)}, sizeof(before)), 0);
	for (int i = 0; i < 2; i++) { /* may all be entered, and left */
		errno = 0;
		set_active_memcg(groups[i]);
		cr_expect_eq(errno, 0);
		cr_expect_eq(mem_cgroup_current(), groups[i]);
		kfree(kmalloc(100, GFP_KERNEL));
	}
	set_active_memcg(NULL);
	expect_killed(group, 0);
}

static void *free_even(void *memcg)
{
	set_active_memcg(memcg);
	for (int i = 0; i < OBJECTS; i += 2)
		kfree(objects[i]);
	kfree(spans[0]);
	return NULL;
}

static void *free_odd(void *memcg)
{
	set_active_memcg(memcg);
	for (int i = 1; i < OBJECTS; i += 2)
		kfree(objects[i]);
	kfree(spans[1]);
	return NULL;
}

/* What was removed below is without owners, and goes too. */
Test(kill, what_dead_children_left, .init = make)
{
	in_thread(fill, below);
	cr_assert_eq(mem_cgroup_rmdir(below), 0);
	cr_assert_gt(stat_of(group).objects, 0);
	in_thread(free_even, NULL);
	expect_killed(group, 0);
}

/* Only that; what was handed on to a parent that lives is the parent's. */
Test(kill, not_what_it_left_to_the_parent, .init = make)
{
	uint64_t bytes;

	in_thread(fill, group);
	mem_cgroup_kill(below, 0);
	cr_assert_eq(mem_cgroup_rmdir(group), 0);
	bytes = stat_of(top).object_bytes;
	cr_expect_eq(mem_cgroup_kill(group, 0), -ENODEV);
	cr_expect_eq(mem_cgroup_kill(mem_cgroup_create(top, "other"), 0), 0);
	cr_expect_eq(stat_of(top).object_bytes, bytes);
	for (int i = 0; i < OBJECTS; i++)
		kfree(objects[i]);
	for (int i = 0; i < SPANS; i++)
		kfree(spans[i]);
	cr_expect_eq(stat_of(top).slab_bytes, 0);
}

/* ---- Frees that are on their way ------------------------------------------------ */

static pthread_barrier_t barrier;

static void *fill_and_stay(void *memcg)
{
	fill(memcg);
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	set_active_memcg(NULL); /* parks the heap with what came in meanwhile */
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	return NULL;
}

Test(kill, with_frees_by_others, .init = make)
{
	pthread_t thread;

	pthread_barrier_init(&barrier, NULL, 2);
	cr_assert_eq(pthread_create(&thread, NULL, fill_and_stay, group), 0);
	pthread_barrier_wait(&barrier);
	in_thread(free_even, group); /* in sheaves */
	in_thread(free_odd, top);    /* on remote lists */
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	expect_killed(group, 0);
	pthread_barrier_wait(&barrier);
	pthread_join(thread, NULL);
}

struct message {
	char text[100];
	struct rcu_head rcu;
};

static void *send(void *memcg)
{
	set_active_memcg(memcg);
	for (int i = 0; i < OBJECTS; i++) {
		struct message *message = kmalloc(sizeof(*message), GFP_KERNEL);

		kfree_rcu(message, rcu);
	}
	return NULL;
}

Test(kill, with_frees_after_a_grace_period, .init = make)
{
	in_thread(send, group);
	cr_expect_eq(mem_cgroup_kill(group, 0), 0);
	rcu_barrier();
	memcg_drain_stocks(top); /* of the thread that ran the callbacks */
	cr_expect_eq(stat_of(top).current, 0);
	cr_expect_eq(stat_of(top).slab_bytes, 0);
}

/* ---- Caches ------------------------------------------------------------------------ */

#define READY 0x600d600d

static struct kmem_cache *cache;
static unsigned int *cached[OBJECTS];

static void construct(void *object)
{
	*(unsigned int *)object = READY;
}

static void *fill_cache(void *memcg)
{
	set_active_memcg(memcg);
	for (int i = 0; i < OBJECTS; i++)
		cached[i] = kmem_cache_alloc(cache, GFP_KERNEL);
	for (int i = 0; i < OBJECTS; i += 3)
		kmem_cache_free(cache, cached[i]);
	return NULL;
}

static unsigned int caches(void)
{
	struct list_head *pos;
	unsigned int n = 0;

	for (pos = slab_caches.next; pos != &slab_caches; pos = pos->next)
		n++;
	return n;
}

static void expect_cache_goes(slab_flags_t flags, void (*ctor)(void *))
{
	cache = kmem_cache_create("victims", 200, 0, flags, ctor);
	in_thread(fill_cache, below);
	in_thread(fill_cache, group);
	expect_killed(group, MEMCG_KILL_WIPE);
	cr_expect_eq(caches(), 1, "not the group's to destroy");
	cr_expect_eq(kmem_cache_destroy(cache), 0);
	cr_expect_eq(caches(), 0, "nothing holds a reference");
}

Test(kill, objects_of_caches, .init = make)
{
	expect_cache_goes(0, NULL);
}

Test(kill, constructed_objects, .init = make)
{
	expect_cache_goes(SLAB_HWCACHE_ALIGN, construct);
}

Test(kill, typesafe_objects, .init = make)
{
	expect_cache_goes(SLAB_TYPESAFE_BY_RCU, construct);
}

static void *read_typesafe(void *arg)
{
	bool *done = arg;

	rcu_read_lock();
	pthread_barrier_wait(&barrier);
	while (!__atomic_load_n(done, __ATOMIC_ACQUIRE)) {
		for (int i = 0; i < OBJECTS; i++)
			cr_assert_eq(READ_ONCE(*cached[i]), READY);
		if (!top->online) { /* the kill is under way, and waits for us */
			for (int i = 0; i < OBJECTS; i++)
				cr_assert_eq(READ_ONCE(*cached[i]), READY);
			break;
		}
	}
	rcu_read_unlock();
	return NULL;
}

Test(kill, readers_of_typesafe_objects, .init = make)
{
	bool done = false;
	pthread_t thread;

	pthread_barrier_init(&barrier, NULL, 2);
	cache = kmem_cache_create("victims", 200, 0, SLAB_TYPESAFE_BY_RCU, construct);
	in_thread(fill_cache, group);
	cr_assert_eq(pthread_create(&thread, NULL, read_typesafe, &done), 0);
	pthread_barrier_wait(&barrier);
	cr_expect_eq(mem_cgroup_kill(top, MEMCG_KILL_WIPE), 0);
	__atomic_store_n(&done, true, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	cr_expect_eq(kmem_cache_destroy(cache), 0);
	cr_expect_eq(caches(), 0);
}

/* ---- What stays -------------------------------------------------------------------- */

static void *charge_by_hand(void *memcg)
{
	set_active_memcg(memcg);
	fill_here();
	objcg = get_obj_cgroup_from_current();
	cr_assert_eq(obj_cgroup_charge(objcg, GFP_KERNEL, CHARGE), 0);
	return NULL;
}

static void *uncharge_by_hand(void *memcg)
{
	obj_cgroup_uncharge(objcg, CHARGE + 100);
	obj_cgroup_put(objcg);
	return memcg;
}

/* The parent has it, then whoever is above; and the obj_cgroup can be charged. */
Test(kill, what_was_charged_by_hand, .init = make)
{
	in_thread(charge_by_hand, below);
	cr_expect_eq(mem_cgroup_kill(below, 0), 0);
	cr_expect_eq(stat_of(group).object_bytes, CHARGE);
	cr_expect_eq(stat_of(group).current, round_up_to(CHARGE, PAGE_SIZE));
	cr_expect_eq(mem_cgroup_kill(group, MEMCG_KILL_WIPE), 0);
	cr_expect_eq(stat_of(top).object_bytes, CHARGE);
	rcu_read_lock();
	cr_expect_eq(obj_cgroup_memcg(objcg), top);
	rcu_read_unlock();
	cr_expect_eq(obj_cgroup_charge(objcg, GFP_KERNEL, 100), 0);
	cr_expect_eq(stat_of(top).object_bytes, CHARGE + 100);
	in_thread(uncharge_by_hand, NULL);
	memcg_drain_stocks(top);
	cr_expect_eq(stat_of(top).current, 0);
}

Test(kill, the_others, .init = make)
{
	struct mem_cgroup *other = mem_cgroup_create(top, "other");
	struct mem_cgroup_stat before;

	in_thread(fill, other);
	for (int i = 0; i < OBJECTS; i++)
		memset(objects[i], i, ksize(objects[i]));
	before = stat_of(other);
	set_active_memcg(below);
	for (int i = 0; i < OBJECTS; i++)
		kmalloc(3000, GFP_KERNEL);
	set_active_memcg(NULL);
	cr_expect_eq(mem_cgroup_kill(group, MEMCG_KILL_WIPE), 0);
	cr_expect_eq(memcmp(&before, &(struct mem_cgroup_stat[]){stat_of(other)}, sizeof(before)),
		     0);
	cr_expect_eq(stat_of(top).object_bytes, before.object_bytes);
	for (int i = 0; i < OBJECTS; i++) {
		unsigned char *object = objects[i];

		for (size_t at = 0; at < ksize(object); at++)
			cr_assert_eq(object[at], i & 0xff);
	}
}

/* ---- The memory ----------------------------------------------------------------- */

#define SECRET 0xa7

static bool is_secret(const void *block)
{
	const unsigned char *bytes = block;
	size_t size = ksize(block);
	int in_a_row = 0;

	for (size_t i = 0; i < size && in_a_row < 8; i++)
		in_a_row = bytes[i] == SECRET ? in_a_row + 1 : 0;
	return in_a_row == 8;
}

/* Takes the address space of the killed group for another, and looks at it. */
static bool secret_is_found(unsigned int flags)
{
	bool found = false;

	set_active_memcg(group);
	fill_here();
	for (int i = 0; i < OBJECTS; i++)
		memset(objects[i], SECRET, ksize(objects[i]));
	for (int i = 0; i < SPANS; i++)
		memset(spans[i], SECRET, ksize(spans[i]));
	set_active_memcg(NULL);
	cr_expect_eq(mem_cgroup_kill(group, flags), 0);
	debug_forget_killed();
	set_active_memcg(top);
	fill_here();
	for (int i = 0; i < OBJECTS; i++)
		found |= is_secret(objects[i]);
	for (int i = 0; i < SPANS; i++)
		found |= is_secret(spans[i]);
	return found;
}

Test(kill, wiped, .init = make)
{
	cr_expect_not(secret_is_found(MEMCG_KILL_WIPE));
}

/* So that the test above is one. */
Test(kill, not_wiped, .init = make)
{
#ifndef CGSLAB_DEBUG
	cr_expect(secret_is_found(0));
#endif
}

Test(kill, pages_come_back, .init = make)
{
	struct page_run_stats before, after;

	page_runs_stats(&before);
	for (int i = 0; i < 20; i++) {
		struct mem_cgroup *memcg = mem_cgroup_create(top, "again");

		in_thread(fill, memcg);
		cr_assert_eq(mem_cgroup_kill(memcg, 0), 0);
		mem_cgroup_put(memcg);
	}
	debug_forget_killed();
	page_runs_stats(&after);
	cr_expect_leq(after.used, before.used + 64, "%zu pages, then %zu", before.used, after.used);
}
