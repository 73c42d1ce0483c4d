/* SPDX-License-Identifier: MIT */
/* Charges of swap: limits, events, peaks, and where they go with their group. */
#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cgslab/slab.h>

#include "accounting/high.h"
#include "accounting/move.h"
#include "accounting/swap.h"
#include "tests/slab/child.h"

#define KIB 1024ul
#define MIB (1024 * KIB)

static struct mem_cgroup *outer, *inner, *other;
static struct page_counter *fail;

static void make(void)
{
	outer = mem_cgroup_create(NULL, "outer");
	inner = mem_cgroup_create(outer, "inner");
	other = mem_cgroup_create(outer, "other");
	cr_assert(outer && inner && other);
}

static bool charge(struct obj_cgroup *objcg, uint64_t bytes)
{
	bool charged;

	fail = NULL;
	lock(objcg_lock(objcg));
	charged = __obj_cgroup_try_charge_swap(objcg, (int64_t)bytes, &fail);
	unlock(objcg_lock(objcg));
	return charged;
}

static void uncharge(struct obj_cgroup *objcg, uint64_t bytes)
{
	lock(objcg_lock(objcg));
	__obj_cgroup_uncharge_swap(objcg, (int64_t)bytes);
	unlock(objcg_lock(objcg));
}

static bool charge_zswap(struct obj_cgroup *objcg, uint64_t compressed, uint64_t bytes)
{
	bool charged;

	lock(objcg_lock(objcg));
	charged = __obj_cgroup_try_charge_zswap(objcg, (int64_t)compressed, (int64_t)bytes);
	unlock(objcg_lock(objcg));
	return charged;
}

static void uncharge_zswap(struct obj_cgroup *objcg, uint64_t compressed, uint64_t bytes)
{
	lock(objcg_lock(objcg));
	__obj_cgroup_uncharge_zswap(objcg, (int64_t)compressed, (int64_t)bytes);
	unlock(objcg_lock(objcg));
}

/* What the files of @memcg say. */
static uint64_t file(struct mem_cgroup *memcg, const char *name)
{
	char text[64];

	cr_assert_gt(mem_cgroup_read(memcg, name, text, sizeof(text)), 0, "%s", name);
	return strtoull(text, NULL, 10);
}

#define EXPECT_SWAP(memcg, bytes)                                                                  \
	do {                                                                                       \
		cr_expect_eq(mem_cgroup_swap_usage(memcg), bytes, "%" PRIu64,                      \
			     mem_cgroup_swap_usage(memcg));                                        \
		cr_expect_eq(file(memcg, "memory.swap.current"), mem_cgroup_swap_usage(memcg));    \
	} while (0)

#define EXPECT_EVENTS(memcg, highs, maxs, fails)                                                   \
	do {                                                                                       \
		cr_expect_eq(mem_cgroup_event(memcg, MEMCG_EVENT_SWAP_HIGH), highs);               \
		cr_expect_eq(mem_cgroup_event(memcg, MEMCG_EVENT_SWAP_MAX), maxs);                 \
		cr_expect_eq(mem_cgroup_event(memcg, MEMCG_EVENT_SWAP_FAIL), fails);               \
	} while (0)

/* ---- The counter --------------------------------------------------------------- */

Test(swap, is_charged_to_all_ancestors_or_none, .init = make)
{
	uint64_t memory = mem_cgroup_usage(outer);

	cr_assert_eq(mem_cgroup_set_swap_max(outer, MIB), 0);
	cr_expect(charge(inner->objcg, 700 * KIB));
	EXPECT_SWAP(inner, 700 * KIB);
	EXPECT_SWAP(outer, 700 * KIB);
	EXPECT_SWAP(&root_memcg, 700 * KIB);
	EXPECT_SWAP(other, 0);

	cr_expect(!charge(other->objcg, 400 * KIB));
	cr_expect_eq(fail, &outer->swap);
	EXPECT_SWAP(other, 0);
	EXPECT_SWAP(outer, 700 * KIB);
	EXPECT_SWAP(&root_memcg, 700 * KIB);
	cr_expect_eq(mem_cgroup_swap_peak(other), 0, "what was refused was never there");

	cr_expect(charge(other->objcg, 324 * KIB), "up to the limit");
	uncharge(inner->objcg, 700 * KIB);
	uncharge(other->objcg, 324 * KIB);
	EXPECT_SWAP(&root_memcg, 0);
	cr_expect_eq(mem_cgroup_usage(outer), memory, "memory is another matter");
}

Test(swap, memory_max_is_no_limit_of_swap, .init = make)
{
	cr_assert_eq(mem_cgroup_set_max(outer, 0), 0);
	cr_expect(charge(inner->objcg, MIB));
	cr_assert_eq(mem_cgroup_set_swap_max(inner, 0), 0);
	EXPECT_SWAP(inner, MIB);
	cr_expect(!charge(inner->objcg, PAGE_SIZE), "what is there stays");
	uncharge(inner->objcg, MIB);
}

Test(swap, the_root_is_not_limited, .init = make)
{
	cr_expect_eq(mem_cgroup_set_swap_max(&root_memcg, 0), -EINVAL);
	cr_expect_eq(mem_cgroup_set_swap_high(&root_memcg, 0), -EINVAL);
	cr_expect_eq(mem_cgroup_set_zswap_max(&root_memcg, 0), -EINVAL);
	cr_expect(charge(root_memcg.objcg, MIB));
	EXPECT_SWAP(&root_memcg, MIB);
	uncharge(root_memcg.objcg, MIB);
}

/* Swap that no span has is found out. */
Test(swap, is_part_of_the_identity, .init = make)
{
	struct mem_cgroup_identity sum;

	cr_expect_eq(mem_cgroup_verify(inner, &sum), 0);
	cr_expect_eq(sum.swap_usage, 0);
	cr_assert(charge(inner->objcg, MIB));
	cr_expect_eq(mem_cgroup_verify(inner, &sum), -EUCLEAN);
	cr_expect_eq(sum.swap_usage, MIB);
	cr_expect_eq(sum.swap_bytes, 0);
	cr_expect_eq(mem_cgroup_verify(other, NULL), 0);
	uncharge(inner->objcg, MIB);
	cr_expect_eq(mem_cgroup_verify(&root_memcg, NULL), 0);

	cr_assert(charge_zswap(inner->objcg, PAGE_SIZE, MIB));
	cr_expect_eq(mem_cgroup_verify(outer, &sum), -EUCLEAN);
	cr_expect_eq(sum.zswap_usage, PAGE_SIZE);
	cr_expect_eq(sum.zswap_bytes, 0);
	uncharge_zswap(inner->objcg, PAGE_SIZE, MIB);
	cr_expect_eq(mem_cgroup_verify(&root_memcg, NULL), 0);
}

/* ---- Events -------------------------------------------------------------------- */

Test(swap, events_of_a_refusal, .init = make)
{
	char text[128];

	cr_assert_eq(mem_cgroup_set_swap_max(outer, MIB), 0);
	cr_assert(!charge(inner->objcg, 2 * MIB));
	memcg_swap_refused(inner, fail);
	memcg_swap_failed(inner);
	EXPECT_EVENTS(inner, 0, 0, 2);
	EXPECT_EVENTS(outer, 0, 1, 2);
	EXPECT_EVENTS(other, 0, 0, 0);
	EXPECT_EVENTS(&root_memcg, 0, 1, 2);
	cr_expect_gt(mem_cgroup_read(outer, "memory.swap.events", text, sizeof(text)), 0);
	cr_expect_str_eq(text, "high 0\nmax 1\nfail 2\n");
	cr_expect_gt(mem_cgroup_read(outer, "memory.events", text, sizeof(text)), 0);
	cr_expect_str_eq(text, "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\noom_group_kill 0\n");
	cr_expect_eq(mem_cgroup_event_local(inner, MEMCG_EVENT_SWAP_FAIL), 0);
}

Test(swap, events_wake_who_waits, .init = make)
{
	int fd = eventfd(0, EFD_NONBLOCK);
	uint64_t nr;

	cr_assert_eq(mem_cgroup_register_event(outer, MEMCG_EVENT_SWAP_FAIL, fd), 0);
	memcg_swap_failed(inner);
	cr_expect_eq(read(fd, &nr, sizeof(nr)), sizeof(nr));
	cr_expect_eq(mem_cgroup_unregister_event(outer, MEMCG_EVENT_SWAP_FAIL, fd), 0);
	close(fd);
}

/* ---- Peaks --------------------------------------------------------------------- */

Test(swap, peaks, .init = make)
{
	struct mem_cgroup_peak *own = mem_cgroup_swap_peak_open(inner);
	struct mem_cgroup_peak *of_memory = mem_cgroup_peak_open(inner);

	cr_assert(own && of_memory);
	cr_assert(charge(inner->objcg, 3 * MIB));
	uncharge(inner->objcg, 2 * MIB);
	cr_expect_eq(mem_cgroup_swap_peak(inner), 3 * MIB);
	cr_expect_eq(mem_cgroup_swap_peak(outer), 3 * MIB);
	cr_expect_eq(mem_cgroup_peak_read(own), 3 * MIB);
	cr_expect_eq(mem_cgroup_peak_read(of_memory), 0);

	mem_cgroup_peak_reset(own);
	cr_expect_eq(mem_cgroup_peak_read(own), MIB);
	cr_expect_eq(mem_cgroup_swap_peak(inner), 3 * MIB, "unseen by others");
	cr_expect_eq(mem_cgroup_write(inner, "memory.swap.peak", "x"), 0);
	cr_expect_eq(file(inner, "memory.swap.peak"), MIB);
	cr_assert(charge(inner->objcg, MIB));
	mem_cgroup_reset_swap_peak(inner);
	mem_cgroup_reset_peak(inner);
	uncharge(inner->objcg, 2 * MIB);
	cr_expect_eq(mem_cgroup_peak_read(own), 2 * MIB);
	cr_expect_eq(mem_cgroup_swap_peak(inner), 2 * MIB);
	cr_expect_eq(mem_cgroup_swap_peak(outer), 3 * MIB);
	mem_cgroup_peak_close(own);
	mem_cgroup_peak_close(of_memory);
}

/* ---- memory.swap.high ------------------------------------------------------------ */

/* Milliseconds that a charge of 256 KiB of memory takes. */
static uint64_t time_of_charge(gfp_t gfp)
{
	uint64_t begin = os_clock_ms();
	void *block = kmalloc(256 * KIB, gfp);
	uint64_t ms = os_clock_ms() - begin;

	cr_assert_not_null(block);
	kfree(block);
	return ms;
}

Test(swap, who_allocates_above_high_is_slowed_down, .init = make)
{
	set_active_memcg(inner);
	kfree(kmalloc(1, GFP_KERNEL));
	cr_assert(charge(inner->objcg, 110 * MIB));
	cr_assert_eq(mem_cgroup_set_swap_high(outer, 110 * MIB), 0);
	time_of_charge(GFP_KERNEL);
	EXPECT_EVENTS(outer, 0, 0, 0);

	/* As above memory.high: a tenth more costs 639 ms for 64 pages. */
	cr_assert_eq(mem_cgroup_set_swap_high(outer, 100 * MIB), 0);
	cr_expect_geq(time_of_charge(GFP_KERNEL),
		      (uint64_t)memcg_high_delay(110 * 256, 100 * 256, 64));
	EXPECT_EVENTS(outer, 1, 0, 0);
	EXPECT_EVENTS(inner, 0, 0, 0);
	cr_expect_eq(mem_cgroup_event(outer, MEMCG_EVENT_HIGH), 0);
	uncharge(inner->objcg, 110 * MIB);
	time_of_charge(GFP_KERNEL);
	EXPECT_EVENTS(outer, 1, 0, 0);
}

Test(swap, above_both_highs_both_are_counted, .init = make)
{
	uint64_t delay = (uint64_t)memcg_high_delay(106 * 256, 100 * 256, 64);

	set_active_memcg(inner);
	page_counter_charge(&inner->memory, 106 * 256);
	cr_assert(charge(inner->objcg, 106 * MIB));
	cr_assert_eq(mem_cgroup_set_swap_high(inner, 100 * MIB), 0);
	cr_assert_eq(mem_cgroup_set_high(inner, 100 * MIB), 0);
	kfree(kmalloc(256 * KIB, GFP_NOWAIT)); /* which is not slowed down */
	EXPECT_EVENTS(inner, 1, 0, 0);
	cr_expect_eq(mem_cgroup_event(inner, MEMCG_EVENT_HIGH), 1);
	cr_expect_geq(time_of_charge(GFP_KERNEL), 2 * delay);
	EXPECT_EVENTS(inner, 2, 0, 0);
	cr_expect_eq(mem_cgroup_event(inner, MEMCG_EVENT_HIGH), 2);
	uncharge(inner->objcg, 106 * MIB);
	page_counter_uncharge(&inner->memory, 106 * 256);
}

/* ---- Compressed swap --------------------------------------------------------------- */

Test(swap, zswap_counts_bytes_up_to_its_max, .init = make)
{
	struct mem_cgroup_stat stat = {.size = sizeof(stat)};

	cr_expect_eq(mem_cgroup_zswap_max(inner), MEMCG_MAX);
	cr_assert_eq(mem_cgroup_set_zswap_max(outer, 2 * PAGE_SIZE), 0);
	cr_expect(charge_zswap(inner->objcg, 5000, 4 * PAGE_SIZE));
	cr_expect(!charge_zswap(other->objcg, 3193, PAGE_SIZE));
	cr_expect(charge_zswap(other->objcg, 3192, PAGE_SIZE), "up to the last byte");
	cr_expect_eq(mem_cgroup_zswap_usage(inner), 5000);
	cr_expect_eq(file(outer, "memory.zswap.current"), 8192);
	cr_expect_eq(mem_cgroup_stat(outer, &stat), 0);
	cr_expect_eq(stat.zswap_bytes, 8192);
	cr_expect_eq(stat.zswapped, 5 * PAGE_SIZE);

	cr_assert_eq(mem_cgroup_rmdir(inner), 0);
	cr_expect_eq(mem_cgroup_zswap_usage(inner), 0);
	cr_expect_eq(mem_cgroup_zswap_usage(outer), 8192);
	uncharge_zswap(inner->objcg, 5000, 4 * PAGE_SIZE);
	cr_expect_eq(mem_cgroup_zswap_usage(outer), 3192);
	uncharge_zswap(other->objcg, 3192, PAGE_SIZE);
	cr_assert_eq(mem_cgroup_set_zswap_max(outer, 0), 0);
	cr_expect(!charge_zswap(other->objcg, 1, PAGE_SIZE));
	cr_expect_eq(mem_cgroup_zswap_usage(&root_memcg), 0);
	mem_cgroup_put(inner);
}

#define RIVALS	    4
#define RIVAL_TURNS 1000000

/* Returns how often two had at once what there is room for once. */
static void *take_turns(void *memcg)
{
	struct obj_cgroup *objcg = ((struct mem_cgroup *)memcg)->objcg;
	uintptr_t passed = 0;

	for (int i = 0; i < RIVAL_TURNS; i++) {
		if (!charge_zswap(objcg, PAGE_SIZE, MIB))
			continue;
		passed += mem_cgroup_zswap_usage(outer) != PAGE_SIZE;
		uncharge_zswap(objcg, PAGE_SIZE, MIB);
	}
	return (void *)passed;
}

/* Of groups of their own, as some may share a lock. */
Test(swap, rivals_do_not_pass_zswap_max_together, .init = make)
{
	struct mem_cgroup *groups[RIVALS] = {inner, other, mem_cgroup_create(outer, "third"),
					     mem_cgroup_create(outer, "fourth")};
	pthread_t threads[RIVALS];
	void *passed;

	cr_assert_eq(mem_cgroup_set_zswap_max(outer, PAGE_SIZE), 0);
	for (int i = 0; i < RIVALS; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, take_turns, groups[i]), 0);
	for (int i = 0; i < RIVALS; i++) {
		cr_assert_eq(pthread_join(threads[i], &passed), 0);
		cr_expect_eq((uintptr_t)passed, 0u);
		cr_expect_eq(mem_cgroup_zswap_usage(groups[i]), 0);
	}
	cr_expect_eq(mem_cgroup_zswap_usage(outer), 0);
	cr_expect_eq(mem_cgroup_zswap_usage(&root_memcg), 0);
}

Test(swap, what_came_and_went_is_counted_up_to_the_root, .init = make)
{
	struct mem_cgroup_stat stat = {.size = sizeof(stat)};

	memcg_count_swap(inner, MEMCG_PSWPOUT, 10);
	memcg_count_swap(inner, MEMCG_PSWPOUT, 20);
	memcg_count_swap(inner, MEMCG_PSWPIN, 3);
	memcg_count_swap(other, MEMCG_ZSWPOUT, 4);
	memcg_count_swap(other, MEMCG_ZSWPIN, 5);
	memcg_count_swap(other, MEMCG_ZSWPWB, 6);
	cr_expect_eq(mem_cgroup_stat(inner, &stat), 0);
	cr_expect(stat.pswpout == 30 && stat.pswpin == 3 && !stat.zswpout);
	cr_expect_eq(mem_cgroup_stat(outer, &stat), 0);
	cr_expect(stat.pswpout == 30 && stat.pswpin == 3);
	cr_expect(stat.zswpout == 4 && stat.zswpin == 5 && stat.zswpwb == 6);
}

/* ---- With its group ------------------------------------------------------------------ */

Test(swap, passes_to_the_parent_at_rmdir, .init = make)
{
	struct obj_cgroup *objcg = inner->objcg;

	obj_cgroup_get(objcg); /* a span's */
	cr_assert(charge(objcg, 3 * MIB));
	cr_assert_eq(mem_cgroup_rmdir(inner), 0);
	EXPECT_SWAP(inner, 0);
	EXPECT_SWAP(outer, 3 * MIB);
	cr_expect_eq(outer->swap_bytes, 3 * MIB);
	mem_cgroup_put(inner);

	cr_assert_eq(mem_cgroup_set_swap_max(outer, 4 * MIB), 0);
	cr_expect(!charge(objcg, 2 * MIB), "from now on the parent's limit counts");
	uncharge(objcg, MIB);
	EXPECT_SWAP(outer, 2 * MIB);
	cr_assert_eq(mem_cgroup_rmdir(other), 0);
	cr_assert_eq(mem_cgroup_rmdir(outer), 0);
	EXPECT_SWAP(process_memcg, 2 * MIB);
	uncharge(objcg, 2 * MIB);
	EXPECT_SWAP(process_memcg, 0);
	cr_expect_eq(process_memcg->swap_bytes, 0);
	obj_cgroup_put(objcg);
	mem_cgroup_put(other);
	mem_cgroup_put(outer);
}

Test(swap, is_uncharged_when_it_is_killed, .init = make)
{
	struct obj_cgroup_killed killed = {
		.swap_bytes = 3 * MIB, .zswap_bytes = 700, .zswapped_bytes = MIB};

	cr_assert(charge(inner->objcg, 3 * MIB));
	cr_assert(charge_zswap(inner->objcg, 700, MIB));
	lock(objcg_lock(inner->objcg));
	__obj_cgroup_uncharge_killed(inner->objcg, &killed);
	unlock(objcg_lock(inner->objcg));
	EXPECT_SWAP(&root_memcg, 0);
	cr_expect_eq(inner->swap_bytes, 0);
	cr_expect_eq(mem_cgroup_zswap_usage(&root_memcg), 0);
}

static bool move(struct mem_cgroup *from, struct mem_cgroup *to, uint64_t bytes)
{
	bool moved;

	lock(&cgroup_lock);
	moved = __obj_cgroup_try_move_swap(from->objcg, to->objcg, (int64_t)bytes, &fail);
	unlock(&cgroup_lock);
	return moved;
}

Test(swap, moves_below_the_common_ancestor, .init = make)
{
	cr_assert_eq(mem_cgroup_set_swap_max(outer, 3 * MIB), 0);
	cr_assert(charge(inner->objcg, 3 * MIB));
	cr_assert_eq(mem_cgroup_set_swap_max(other, 2 * MIB), 0);
	cr_expect(!move(inner, other, 3 * MIB));
	cr_expect_eq(fail, &other->swap);
	EXPECT_SWAP(inner, 3 * MIB);
	EXPECT_SWAP(other, 0);

	cr_expect(move(inner, other, 2 * MIB), "outer is at its limit, and is not asked");
	EXPECT_SWAP(inner, MIB);
	EXPECT_SWAP(other, 2 * MIB);
	EXPECT_SWAP(outer, 3 * MIB);
	cr_expect_eq(mem_cgroup_swap_peak(outer), 3 * MIB);

	cr_expect(move(inner, outer, MIB), "up");
	EXPECT_SWAP(inner, 0);
	cr_expect(move(outer, inner, MIB), "and down");
	EXPECT_SWAP(outer, 3 * MIB);
	cr_expect_eq(inner->swap_bytes, MIB);
	cr_expect_eq(other->swap_bytes, 2 * MIB);
	uncharge(inner->objcg, MIB);
	uncharge(other->objcg, 2 * MIB);
	EXPECT_SWAP(&root_memcg, 0);
}

/* ---- fork ------------------------------------------------------------------------------ */

static void in_the_child(void)
{
	CHILD_CHECK(mem_cgroup_swap_usage(inner) == 3 * MIB);
	CHILD_CHECK(mem_cgroup_swap_usage(outer) == 4 * MIB);
	CHILD_CHECK(mem_cgroup_zswap_usage(outer) == 500);
	CHILD_CHECK(mem_cgroup_event(outer, MEMCG_EVENT_SWAP_FAIL) == 1);
	CHILD_CHECK(mem_cgroup_swap_max(outer) == 4 * MIB);
	CHILD_CHECK(!charge(inner->objcg, PAGE_SIZE));
	uncharge(inner->objcg, 3 * MIB);
	uncharge_zswap(other->objcg, 500, MIB);
	CHILD_CHECK(mem_cgroup_swap_usage(&root_memcg) == MIB);
	CHILD_CHECK(mem_cgroup_zswap_usage(&root_memcg) == 0);
}

Test(swap, a_forked_child_has_its_own, .init = make)
{
	cr_assert_eq(mem_cgroup_set_swap_max(outer, 4 * MIB), 0);
	cr_assert(charge(inner->objcg, 3 * MIB));
	cr_assert(charge(other->objcg, MIB));
	cr_assert(charge_zswap(other->objcg, 500, MIB));
	memcg_swap_failed(inner);
	cr_expect_eq(child_run(fork, in_the_child), 0);
	EXPECT_SWAP(inner, 3 * MIB);
	EXPECT_SWAP(outer, 4 * MIB);
	cr_expect_eq(mem_cgroup_zswap_usage(&root_memcg), 500);
	uncharge(inner->objcg, 3 * MIB);
	uncharge(other->objcg, MIB);
	uncharge_zswap(other->objcg, 500, MIB);
}

static sem_t ready, done;

static void *stay(void *arg)
{
	kfree(kmalloc(1, GFP_KERNEL)); /* the library knows it from now on */
	sem_post(&ready);
	sem_wait(&done);
	return arg;
}

static void without_the_other(void)
{
	child_verify();
	CHILD_CHECK(mem_cgroup_swap_usage(&root_memcg) == 0);
	CHILD_CHECK(mem_cgroup_zswap_usage(&root_memcg) == 0);
}

/* What no span has is what the lost thread was about to give to one. */
Test(swap, what_a_lost_thread_has_charged_is_given_back, .init = make)
{
	pthread_t other_thread;

	sem_init(&ready, 0, 0);
	sem_init(&done, 0, 0);
	cr_assert_eq(pthread_create(&other_thread, NULL, stay, NULL), 0);
	sem_wait(&ready);
	cr_assert(charge(inner->objcg, 3 * MIB));
	cr_assert(charge_zswap(inner->objcg, PAGE_SIZE, MIB));
	cr_expect_eq(child_run(fork, without_the_other), 0);
	EXPECT_SWAP(outer, 3 * MIB);
	uncharge(inner->objcg, 3 * MIB);
	uncharge_zswap(inner->objcg, PAGE_SIZE, MIB);
	sem_post(&done);
	pthread_join(other_thread, NULL);
}
