/* SPDX-License-Identifier: MIT */
/* Spans are charged through stocks, and hold their obj_cgroup all together. */
#include <criterion/criterion.h>
#include <pthread.h>

#include <cgslab/slab.h>
#include <cgslab/span.h>

#include "accounting/obj_stock.h"
#include "alloc/base/rcu.h"
#include "alloc/slab/heap.h"

#define MIB   (1ul << 20)
#define SPANS 3

static struct mem_cgroup *top, *memcg;
static void *spans[SPANS];

static void make(void)
{
	top = mem_cgroup_create(NULL, "top");
	memcg = mem_cgroup_create(top, "spans");
	cr_assert(top && memcg);
}

static struct mem_cgroup_identity identity(void)
{
	struct mem_cgroup_identity sum;

	cr_assert_eq(mem_cgroup_verify(top, &sum), 0);
	return sum;
}

static void *alloc_in(struct mem_cgroup *in, size_t size)
{
	struct mem_cgroup *old = set_active_memcg(in);
	void *block = kmalloc(size, GFP_KERNEL);

	cr_assert_not_null(block);
	set_active_memcg(old);
	return block;
}

static void fill(void)
{
	make();
	for (int i = 0; i < SPANS; i++)
		spans[i] = alloc_in(memcg, MIB);
}

static void *free_all(void *arg)
{
	for (int i = 0; i < SPANS; i++) {
		kfree(spans[i]);
		spans[i] = NULL;
	}
	return arg;
}

static void in_thread(void *(*fn)(void *))
{
	pthread_t thread;

	cr_assert_eq(pthread_create(&thread, NULL, fn, NULL), 0);
	cr_assert_eq(pthread_join(thread, NULL), 0);
}

/* ---- How much is charged -------------------------------------------------- */

static void expect_charged(uint64_t bytes)
{
	cr_expect_eq(mem_cgroup_usage(memcg), bytes, "%lu, not %lu", mem_cgroup_usage(memcg),
		     bytes);
	cr_expect_eq((uint64_t)identity().span_bytes, bytes);
}

/* Exactly what there is: nothing in advance, and nothing that stays. */
Test(span_charge, comes_and_goes_with_the_span, .init = make)
{
	set_active_memcg(memcg);
	for (int i = 0; i < SPANS; i++) {
		spans[i] = kmalloc(MIB << i, GFP_KERNEL);
		expect_charged((MIB << i) * 2 - MIB);
	}
	cr_expect_eq(mem_cgroup_peak(memcg), 7 * MIB);
	for (int i = SPANS - 1; i >= 0; i--) {
		kfree(spans[i]);
		expect_charged((MIB << i) - MIB);
	}
	cr_expect_eq(mem_cgroup_peak(memcg), 7 * MIB);
}

Test(span_charge, goes_whoever_frees, .init = fill)
{
	expect_charged(SPANS * MIB);
	in_thread(free_all);
	expect_charged(0);
}

static struct span *held;

static void *put_held(void *arg)
{
	span_put(held);
	return arg;
}

/* That of span_alloc() with the last reference, once. */
Test(span_charge, goes_with_the_last_reference, .init = make)
{
	set_active_memcg(memcg);
	held = span_alloc(MIB, GFP_KERNEL);
	cr_assert_not_null(held);
	set_active_memcg(NULL);
	span_get(held);
	span_put(held);
	expect_charged(MIB);
	in_thread(put_held);
	expect_charged(0);
}

/* One that is charged to nobody leaves no trace. */
Test(span_charge, none_without, .init = make)
{
	set_active_memcg(memcg);
	held = span_alloc(MIB, GFP_KERNEL | SPAN_UNCHARGED);
	cr_assert_not_null(held);
	cr_expect_null(span_memcg(held));
	expect_charged(0);
	span_put(held);
	expect_charged(0);
	cr_expect_eq(mem_cgroup_peak(memcg), 0);
}

/* Refused, it leaves all as it was, also in the books of the stock. */
Test(span_charge, refused, .init = fill)
{
	const struct counters_record *record = memcg->memory.record;

	cr_assert_eq(mem_cgroup_set_max(memcg, 4 * MIB), 0);
	set_active_memcg(memcg);
	for (int i = 0; i < 10; i++)
		cr_expect_null(kmalloc(2 * MIB, GFP_KERNEL));
	set_active_memcg(NULL);
	expect_charged(SPANS * MIB);
	cr_expect_eq(record->span_bytes, SPANS * (int64_t)MIB);
	cr_expect_eq(record->object_bytes, 0);
	free_all(NULL);
	expect_charged(0);
}

/* ---- Swings --------------------------------------------------------------- */

static void swing(size_t size, int times)
{
	while (times--) {
		void *block = kmalloc(size, GFP_KERNEL);

		cr_assert_not_null(block);
		kfree(block);
	}
}

/* So often that it stays in stock, also where the machine stops us amid it. */
static void swing_long(size_t size)
{
	for (int i = 0; i < 10 && identity().stock_bytes < (int64_t)size; i++)
		swing(size, 100);
	cr_expect_geq(identity().stock_bytes, (int64_t)size, "%zu", size);
}

/* Who allocates and frees such spans again and again has one in stock, not more than two. */
Test(span_charge, swings_leave_one_in_stock, .init = make)
{
	for (size_t size = MIB / 4; size <= 16 * MIB; size *= 2) {
		const int64_t most =
			max_t(int64_t, 2 * (int64_t)size, MEMCG_CHARGE_BATCH * (int64_t)PAGE_SIZE);

		set_active_memcg(memcg);
		swing_long(size);
		cr_expect_leq(identity().stock_bytes, most, "%zu", size);
		swing(size, 1);
		cr_expect_leq(mem_cgroup_peak(memcg), (uint64_t)most, "%zu", size);
		set_active_memcg(NULL);
	}
}

Test(span_charge, no_longer_than_they_last, .init = make)
{
	set_active_memcg(memcg);
	swing_long(8 * MIB);
	os_sleep_us(200000);
	cr_expect_not(memcg_drain_idle_stocks());
	expect_charged(0);
}

/* What lies in a stock is for whoever needs it. */
static void *need_all(void *arg)
{
	spans[0] = alloc_in(memcg, 120 * MIB);
	return arg;
}

Test(span_charge, others_get_what_a_swing_has_left, .init = make)
{
	cr_assert_eq(mem_cgroup_set_max(memcg, 128 * MIB), 0);
	set_active_memcg(memcg);
	swing_long(12 * MIB);
	in_thread(need_all);
	cr_expect_leq(mem_cgroup_usage(memcg), 128 * MIB);
	kfree(spans[0]);
}

Test(span_charge, near_the_limit_nothing_is_left, .init = make)
{
	cr_assert_eq(mem_cgroup_set_max(memcg, 4 * MIB), 0);
	set_active_memcg(memcg);
	swing(3 * MIB, 100);
	expect_charged(0);
}

/* One that is to hold little again lets go at once of what comes back, if it was empty, too. */
Test(span_charge, revoked_while_it_is_empty, .init = make)
{
	struct obj_stock *stock;
	int64_t bytes;

	set_active_memcg(memcg);
	swing_long(8 * MIB);
	stock = &current_heap->stock;
	bytes = stock->limit - stock->used;
	cr_assert_eq(obj_stock_charge(stock, GFP_KERNEL, (size_t)bytes), 0);
	memcg_drain_stocks(memcg);
	cr_assert_eq(stock->most, STOCK_PAGES);
	for (; bytes > 0; bytes -= (int64_t)PAGE_SIZE)
		if (obj_stock_credit(stock, PAGE_SIZE))
			obj_stock_flush(stock);
	cr_expect_leq(identity().stock_bytes, (STOCK_PAGES + 1) * (int64_t)PAGE_SIZE);
}

/* ---- Amid a count ----------------------------------------------------------- */

static int begun, ended; /* atomic */

static void *alloc_when_told(void *arg)
{
	set_active_memcg(memcg);
	kfree(kmalloc(1, GFP_KERNEL)); /* all that a first one needs */
	store_release(&begun, 1);
	while (load_acquire(&begun) == 1)
		;
	spans[0] = kmalloc(MIB, GFP_KERNEL);
	store_release(&ended, 1);
	return arg;
}

static struct obj_stock_totals freeze_and_sum(void)
{
	struct obj_stock_totals totals = {0};

	lock(&cgroup_lock);
	memcg_freeze_stocks(&root_memcg);
	store_release(&begun, 2);
	os_sleep_us(50000);
	obj_cgroup_sum_stocks(memcg->objcg, &totals);
	cr_expect_eq(load_acquire(&ended), 0, "it waits for the thaw");
	memcg_thaw_stocks(&root_memcg);
	unlock(&cgroup_lock);
	return totals;
}

/* What is not handed out yet is nowhere in the books: neither live, nor a span. */
Test(span_charge, waits_with_nothing_charged, .init = make)
{
	struct obj_stock_totals totals;
	pthread_t thread;

	rcu_take_in_thread();
	cr_assert_eq(pthread_create(&thread, NULL, alloc_when_told, NULL), 0);
	while (load_acquire(&begun) == 0)
		os_sleep_us(100);
	totals = freeze_and_sum();
	cr_assert_eq(pthread_join(thread, NULL), 0);
	cr_expect_eq(totals.live, 0);
	cr_expect_eq(totals.span, 0);
	cr_expect_eq(identity().span_bytes, (int64_t)MIB);
	kfree(spans[0]);
	expect_charged(0);
}

/* ---- What the record shows ------------------------------------------------ */

Test(span_charge, records_tell_spans_from_objects, .init = make)
{
	const struct counters_record *record = memcg->memory.record;
	void *object = alloc_in(memcg, 60000);
	int64_t objects = record->object_bytes;

	spans[0] = alloc_in(memcg, MIB);
	cr_expect_eq(record->span_bytes, (int64_t)MIB);
	cr_expect_eq(record->object_bytes, objects);
	spans[0] = krealloc(spans[0], 3 * MIB, GFP_KERNEL);
	cr_expect_eq(record->span_bytes, 3 * (int64_t)MIB);
	in_thread(free_all);
	cr_expect_eq(record->span_bytes, 0);
	cr_expect_eq(record->object_bytes, objects);
	kfree(object);
}

/* As do those of who has swung, at the latest when the group goes. */
Test(span_charge, records_pass_to_the_parent, .init = make)
{
	const struct counters_record *record = top->memory.record;

	set_active_memcg(memcg);
	swing(MIB, 100);
	for (int i = 0; i < SPANS; i++)
		spans[i] = kmalloc(MIB / 4, GFP_KERNEL);
	set_active_memcg(NULL);
	cr_assert_eq(mem_cgroup_rmdir(memcg), 0);
	cr_expect_eq(record->span_bytes, SPANS * (int64_t)MIB / 4);
	cr_expect_eq(record->object_bytes, 0);
	in_thread(free_all);
	cr_expect_eq(record->span_bytes, 0);
	cr_expect_eq(record->object_bytes, 0);
	cr_expect_eq(mem_cgroup_usage(top), 0);
}

/* ---- Who keeps the obj_cgroup --------------------------------------------- */

static void expect_dying(uint64_t n)
{
	cr_expect_eq(mem_cgroup_nr_dying_descendants(top), n);
}

static struct obj_cgroup *remove_group(void)
{
	struct obj_cgroup *objcg = memcg->objcg;

	cr_assert_eq(mem_cgroup_rmdir(memcg), 0);
	mem_cgroup_put(memcg);
	return objcg;
}

/* While it is there the group does, then one reference for all spans. */
Test(span_charge, one_reference_for_all, .init = fill)
{
	struct obj_cgroup *objcg = memcg->objcg;

	cr_expect_eq(objcg->refcnt, 1);
	cr_assert_eq(mem_cgroup_rmdir(memcg), 0);
	cr_expect_eq(objcg->refcnt, 2);
	mem_cgroup_put(memcg);
	for (int i = 0; i < SPANS; i++) {
		cr_expect_eq(objcg->refcnt, 1);
		expect_dying(1);
		kfree(spans[i]);
	}
	expect_dying(0);
	cr_expect_eq(mem_cgroup_usage(top), 0);
}

/* No reference is left to a group whose spans were gone before it was. */
Test(span_charge, none_where_there_are_none, .init = fill)
{
	struct obj_cgroup *objcg = memcg->objcg;

	free_all(NULL);
	cr_assert_eq(mem_cgroup_rmdir(memcg), 0);
	cr_expect_eq(objcg->refcnt, 1);
	mem_cgroup_put(memcg);
	expect_dying(0);
}

Test(span_charge, the_last_one_may_be_transferred, .init = fill)
{
	struct mem_cgroup *other = mem_cgroup_create(top, "other");

	remove_group();
	for (int i = 0; i < SPANS; i++) {
		expect_dying(1);
		cr_assert_eq(mem_cgroup_transfer(&spans[i], other), 0);
	}
	expect_dying(0);
	cr_expect_eq(mem_cgroup_usage(other), SPANS * MIB);
	cr_expect_eq(other->objcg->refcnt, 1);
	memcg = other; /* it has them now */
	remove_group();
	expect_dying(1);
	cr_expect_eq(mem_cgroup_usage(top), SPANS * MIB);
	in_thread(free_all);
	expect_dying(0);
	cr_expect_eq(mem_cgroup_usage(top), 0);
}

/* A dead child's, and some that came from elsewhere, go with the parent. */
Test(span_charge, all_go_with_a_kill, .init = fill)
{
	struct mem_cgroup *other = mem_cgroup_create(NULL, "other");

	cr_assert_eq(mem_cgroup_transfer(&spans[1], top), 0);
	cr_assert_eq(mem_cgroup_transfer(&spans[2], other), 0);
	remove_group();
	held = NULL;
	set_active_memcg(top);
	held = span_alloc(MIB, GFP_KERNEL);
	set_active_memcg(NULL);
	cr_expect_eq(mem_cgroup_usage(top), 3 * MIB);
	cr_assert_eq(mem_cgroup_kill(top, 0), 0);
	cr_expect_eq(mem_cgroup_usage(top), 0);
	mem_cgroup_put(top);
	cr_expect_eq(mem_cgroup_nr_dying_descendants(mem_cgroup_root()), 0);
	cr_expect_eq(mem_cgroup_usage(other), MIB);
	kfree(spans[2]);
	cr_expect_eq(mem_cgroup_usage(other), 0);
	cr_expect_eq(mem_cgroup_verify(mem_cgroup_root(), NULL), 0);
}
