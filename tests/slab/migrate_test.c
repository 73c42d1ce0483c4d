/* SPDX-License-Identifier: MIT */
/* mem_cgroup_migrate() and span_transfer(): contents, and all that is counted. */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include <cgslab/memcg.h>
#include <cgslab/slab.h>

#include "accounting/obj_stock.h"
#include "alloc/pages/page_huge.h"
#include "alloc/pages/page_run.h"
#include "alloc/slab/span.h"

#define MIB ((size_t)1 << 20)

static struct mem_cgroup *top, *group, *other;

static void make(void)
{
	top = mem_cgroup_create(NULL, "top");
	group = mem_cgroup_create(top, "group");
	other = mem_cgroup_create(top, "other");
	cr_assert(top && group && other);
}

static struct span *make_span(struct mem_cgroup *memcg, size_t size, unsigned int flags)
{
	struct mem_cgroup *old = set_active_memcg(memcg);
	struct span *span = span_alloc(size, GFP_KERNEL | flags);

	set_active_memcg(old);
	cr_assert(span);
	return span;
}

/* The first @bytes of it. */
static void fill(struct span *span, size_t bytes, unsigned int seed)
{
	uint32_t *data = span_pin(span);

	cr_assert(data);
	for (size_t i = 0; i < bytes / sizeof(*data); i++)
		data[i] = seed + (uint32_t)i;
	span_unpin(span);
}

static void check(struct span *span, size_t bytes, unsigned int seed)
{
	const uint32_t *data = span_pin(span);
	size_t n = bytes / sizeof(*data), i = 0;

	cr_assert(data);
	while (i < n && data[i] == seed + (uint32_t)i)
		i++;
	cr_assert_eq(i, n, "word %zu of %zu", i, n);
	span_unpin(span);
}

static struct span *filled(struct mem_cgroup *memcg, size_t size, unsigned int seed)
{
	struct span *span = make_span(memcg, size, 0);

	fill(span, size, seed);
	return span;
}

/* ---- All that is counted ----------------------------------------------------------- */

struct numbers {
	uint64_t usage, peak, spans, max_events;
};

static struct numbers numbers_of(struct mem_cgroup *memcg)
{
	struct mem_cgroup_stat stat = {.size = sizeof(stat)};

	cr_assert_eq(mem_cgroup_verify(mem_cgroup_root(), NULL), 0);
	page_runs_validate();
	cr_assert_eq(mem_cgroup_stat(memcg, &stat), 0);
	return (struct numbers){
		.usage = mem_cgroup_usage(memcg),
		.peak = mem_cgroup_peak(memcg),
		.spans = stat.span_bytes,
		.max_events = mem_cgroup_event(memcg, MEMCG_EVENT_MAX),
	};
}

static struct numbers before_top, before_group, before_other;

static void note(void)
{
	before_top = numbers_of(top);
	before_group = numbers_of(group);
	before_other = numbers_of(other);
}

static void expect_same(struct mem_cgroup *memcg, const struct numbers *before)
{
	struct numbers now = numbers_of(memcg);

	cr_expect_eq(now.usage, before->usage);
	cr_expect_eq(now.peak, before->peak);
	cr_expect_eq(now.spans, before->spans);
	cr_expect_eq(now.max_events, before->max_events);
}

static void expect_nothing_changed(void)
{
	expect_same(top, &before_top);
	expect_same(group, &before_group);
	expect_same(other, &before_other);
}

static void expect_spans(struct mem_cgroup *memcg, size_t bytes)
{
	cr_expect_eq(numbers_of(memcg).spans, bytes, "%lu bytes in spans, not %zu",
		     (unsigned long)numbers_of(memcg).spans, bytes);
}

static struct mem_cgroup *owner(struct span *span)
{
	return span_memcg(span); /* nobody removes a group meanwhile */
}

/* ---- The charge passes --------------------------------------------------------------- */

Test(migrate, charge_passes_with_the_content, .init = make)
{
	struct span *old = filled(group, MIB, 1);
	struct span *new = make_span(group, MIB, SPAN_UNCHARGED);

	fill(new, MIB, 1000);
	note();
	errno = 4711;
	cr_expect_eq(mem_cgroup_migrate(old, new), 0);
	cr_expect_eq(errno, 4711);
	expect_nothing_changed();
	cr_expect_null(owner(old));
	cr_expect_eq(owner(new), group);
	check(new, MIB, 1);
	fill(old, MIB, 2); /* it is a span still */
	check(old, MIB, 2);
	check(new, MIB, 1);
	span_put(old);
	expect_nothing_changed();
	span_put(new);
	expect_spans(top, 0);
}

/* Back and forth: the one that is uncharged is a target again. */
Test(migrate, and_back, .init = make)
{
	struct span *a = filled(group, MIB, 1), *b = make_span(group, MIB, SPAN_UNCHARGED);

	note();
	for (int i = 0; i < 100; i++) {
		struct span *old = i % 2 ? b : a, *new = i % 2 ? a : b;

		cr_assert_eq(mem_cgroup_migrate(old, new), 0);
		cr_assert_null(owner(old));
		cr_assert_eq(owner(new), group);
		check(new, MIB, 1);
	}
	expect_nothing_changed();
	span_put(b);
	span_put(a);
	expect_spans(top, 0);
}

Test(migrate, at_the_limit, .init = make)
{
	struct span *old = filled(group, 8 * MIB, 1);
	struct span *new = make_span(group, 8 * MIB, SPAN_UNCHARGED);

	cr_assert_eq(mem_cgroup_set_max(group, 8 * MIB), 0);
	cr_assert_eq(mem_cgroup_set_max(top, mem_cgroup_usage(top)), 0);
	note();
	cr_expect_eq(mem_cgroup_migrate(old, new), 0);
	expect_nothing_changed();
	check(new, 8 * MIB, 1);
	span_put(old);
	span_put(new);
	expect_spans(top, 0);
}

Test(migrate, uncharged_stays_uncharged, .init = make)
{
	struct span *old = make_span(group, MIB, SPAN_UNCHARGED);
	struct span *new = make_span(group, MIB, SPAN_UNCHARGED);
	struct span *charged = make_span(group, MIB, 0);

	fill(old, MIB, 1);
	note();
	cr_expect_eq(mem_cgroup_migrate(old, new), 0);
	check(new, MIB, 1);
	cr_expect_null(owner(old));
	cr_expect_null(owner(new));
	cr_expect_eq(mem_cgroup_migrate(new, charged), 0);
	check(charged, MIB, 1);
	cr_expect_null(owner(new));
	cr_expect_eq(owner(charged), group);
	expect_nothing_changed();
	span_put(old);
	span_put(new);
	expect_nothing_changed();
	span_put(charged);
	expect_spans(top, 0);
}

/* The obj_cgroup of a group that is gone: these spans are all that holds it. */
Test(migrate, of_a_removed_group, .init = make)
{
	struct span *old = filled(group, MIB, 1);
	struct span *new = make_span(other, MIB, SPAN_UNCHARGED);

	cr_assert_eq(mem_cgroup_rmdir(group), 0);
	mem_cgroup_put(group);
	expect_spans(top, MIB);
	cr_expect_eq(mem_cgroup_migrate(old, new), 0);
	cr_expect_eq(owner(new), top);
	span_put(old);
	expect_spans(top, MIB);
	check(new, MIB, 1);
	span_put(new);
	expect_spans(top, 0);
}

/* What it was migrated to goes with its group, and what it was migrated from does not. */
Test(migrate, then_kill, .init = make)
{
	struct span *old = filled(group, MIB, 1);
	struct span *new = make_span(group, MIB, SPAN_UNCHARGED);

	cr_assert_eq(mem_cgroup_migrate(old, new), 0);
	fill(old, MIB, 2);
	cr_assert_eq(mem_cgroup_kill(group, MEMCG_KILL_WIPE), 0);
	mem_cgroup_put(group);
	expect_spans(top, 0);
	check(old, MIB, 2);
	span_put(old);
	expect_spans(top, 0);
}

/* ---- Both are charged ------------------------------------------------------------------ */

Test(migrate, both_charged_to_one_group, .init = make)
{
	struct span *old = filled(group, MIB, 1), *new = filled(group, MIB, 2);

	note();
	cr_expect_eq(mem_cgroup_migrate(old, new), 0);
	expect_nothing_changed();
	cr_expect_eq(owner(old), group);
	cr_expect_eq(owner(new), group);
	check(new, MIB, 1);
	span_put(old);
	expect_spans(group, MIB);
	check(new, MIB, 1);
	span_put(new);
	expect_spans(top, 0);
}

/* Each is reachable, and goes back to who was charged; nobody sees another group's data. */
Test(migrate, both_charged_to_two_groups, .init = make)
{
	const size_t lengths[] = {MIB, MIB + PAGE_SIZE, 8 * MIB};

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		struct span *old = filled(group, MIB, 1), *new = filled(other, lengths[i], 2);
		const uint32_t *data;

		note();
		cr_expect_eq(mem_cgroup_migrate(old, new), 0);
		expect_nothing_changed();
		cr_expect_eq(owner(old), group);
		cr_expect_eq(owner(new), other);
		check(new, MIB, 1);
		data = span_pin(old);
		for (size_t j = 0; j < MIB / sizeof(*data); j++)
			cr_assert(data[j] == 0 || data[j] == 1 + j);
		span_unpin(old);
		span_put(new);
		expect_spans(group, MIB);
		expect_spans(other, 0);
		span_put(old);
		expect_spans(top, 0);
	}
}

/* ---- Lengths --------------------------------------------------------------------------- */

Test(migrate, new_is_longer, .init = make)
{
	for (size_t size = 64 << 10; size <= 32 * MIB; size *= 2) {
		struct span *old = filled(group, size, 1), *new;

		new = make_span(group, size + size / 2, SPAN_UNCHARGED);
		expect_spans(group, size);
		cr_expect_eq(mem_cgroup_migrate(old, new), 0);
		expect_spans(group, size + size / 2);
		cr_expect_null(owner(old));
		check(new, size, 1);
		fill(new, size + size / 2, 2);
		fill(old, size, 3);
		check(new, size + size / 2, 2);
		span_put(new);
		expect_spans(top, 0);
		check(old, size, 3);
		span_put(old);
		page_runs_validate();
	}
}

/* Whether there is a word of fill() with @seed in it, from @from on. */
static bool has_content(struct span *span, size_t from, unsigned int seed)
{
	const uint32_t *data = span_pin(span);
	size_t n = span_size(span) / sizeof(*data), i;

	cr_assert(data);
	for (i = from / sizeof(*data); i < n && data[i] - seed >= n; i++)
		;
	span_unpin(span);
	return i < n;
}

/* Right behind @span, of another group. */
static struct span *make_behind(struct span *span, size_t size)
{
	struct span *next = make_span(other, size, 0);
	char *end = (char *)span_pin(span) + span_size(span);

	cr_assert_eq(span_pin(next), end);
	span_unpin(next);
	span_unpin(span);
	return next;
}

#define THEIRS 0x70000000u

/* What is beyond the old length is nothing that others have left there. */
Test(migrate, new_is_longer_and_shows_nothing, .init = make)
{
	struct span *old = filled(group, MIB, 1);
	struct span *behind = make_behind(old, MIB);
	struct span *new;

	fill(behind, MIB, THEIRS);
	new = make_span(group, 2 * MIB, SPAN_UNCHARGED);
	span_put(behind);
	cr_expect_eq(mem_cgroup_migrate(old, new), 0);
	check(new, MIB, 1);
	cr_expect_not(has_content(new, MIB, THEIRS));
	span_put(old);
	span_put(new);
}

/* Nor is it what another had in the run that old got, which keeps no more than it is charged. */
Test(migrate, a_longer_run_is_not_kept, .init = make)
{
	struct span *old = filled(group, MIB, 1);
	struct span *behind = make_behind(old, MIB);
	struct span *theirs = make_span(other, 2 * MIB, 0);
	struct span *new = make_span(group, 2 * MIB, 0);

	fill(theirs, 2 * MIB, THEIRS);
	span_put(behind);
	cr_expect_eq(mem_cgroup_migrate(old, theirs), 0);
	cr_expect_not(has_content(old, 0, THEIRS));
	cr_expect_eq(span_slab(old)->capacity, span_pages(span_slab(old)));
	check(theirs, MIB, 1);
	cr_expect_eq(mem_cgroup_migrate(old, new), 0);
	cr_expect_not(has_content(new, MIB, THEIRS));
	span_put(old);
	span_put(theirs);
	span_put(new);
	expect_spans(top, 0);
}

/* Nothing is free behind it, so it cannot grow in place: it is remapped, or copied. */
static void migrate_walled(size_t size, size_t longer, int again)
{
	struct span *old = filled(group, size, 1);
	struct span *wall = make_span(group, PAGE_SIZE, SPAN_UNCHARGED);
	struct span *new = make_span(group, longer, SPAN_UNCHARGED);
	char *behind = (char *)span_pin(old) + size;

	cr_expect_eq(span_pin(wall), behind);
	span_unpin(wall);
	span_unpin(old);
	fill(new, longer, 2);
	cr_expect_eq(mem_cgroup_migrate(old, new), 0);
	check(new, size, 1);
	fill(new, longer, 3);
	fill(old, size, 4);
	check(new, longer, 3);
	check(old, size, 4);
	expect_spans(group, longer);
	if (again) /* its pages came from elsewhere, and are moved once more */
		for (int i = 0; i < again; i++) {
			struct span *next = make_span(group, longer + (size_t)(i + 1) * PAGE_SIZE,
						      SPAN_UNCHARGED);
			struct span *fence = make_span(group, PAGE_SIZE, SPAN_UNCHARGED);

			cr_expect_eq(mem_cgroup_migrate(new, next), 0);
			check(next, longer, 3);
			span_put(new);
			span_put(fence);
			new = next;
		}
	span_put(old);
	span_put(wall);
	span_put(new);
	expect_spans(top, 0);
	page_runs_validate();
}

Test(migrate, new_is_longer_and_elsewhere, .init = make)
{
	migrate_walled(64 << 10, 128 << 10, 3);
	migrate_walled(3 * MIB, 5 * MIB, 3);
	migrate_walled(16 * MIB, 16 * MIB + PAGE_SIZE, 3);
	migrate_walled(64 * MIB, 66 * MIB, 3);
}

Test(migrate, the_difference_is_refused, .init = make)
{
	struct span *old = filled(group, 8 * MIB, 1);
	struct span *new = make_span(group, 9 * MIB, SPAN_UNCHARGED);
	struct span *even = make_span(group, 8 * MIB, SPAN_UNCHARGED);
	char *start = span_pin(old);

	span_unpin(old);
	cr_assert_eq(mem_cgroup_set_max(group, 9 * MIB - PAGE_SIZE), 0);
	mem_cgroup_reclaim(group, 0);
	note();
	cr_expect_eq(mem_cgroup_migrate(old, new), -ENOMEM);
	cr_expect_eq(numbers_of(group).spans, before_group.spans);
	cr_expect_gt(numbers_of(group).max_events, before_group.max_events);
	cr_expect_eq(owner(old), group);
	cr_expect_null(owner(new));
	cr_expect_eq(span_pin(old), start, "nothing has moved");
	span_unpin(old);
	check(old, 8 * MIB, 1);
	cr_expect_eq(mem_cgroup_migrate(old, even), 0, "that needs no charge");
	cr_assert_eq(mem_cgroup_set_max(group, 9 * MIB), 0);
	cr_expect_eq(mem_cgroup_migrate(even, new), 0, "there is room for exactly that");
	expect_spans(group, 9 * MIB);
	check(new, 8 * MIB, 1);
	span_put(old);
	span_put(even);
	span_put(new);
	expect_spans(top, 0);
}

/* ---- What is refused -------------------------------------------------------------------- */

Test(migrate, bad_arguments, .init = make)
{
	struct span *span = filled(group, MIB, 1);
	struct span *shorter = make_span(group, MIB - PAGE_SIZE, SPAN_UNCHARGED);
	char *block = kmalloc(MIB, GFP_KERNEL);

	note();
	cr_expect_eq(mem_cgroup_migrate(span, span), -EINVAL);
	cr_expect_eq(mem_cgroup_migrate(span, shorter), -EINVAL);
	cr_expect_eq(mem_cgroup_migrate(virt_to_span(block), span), -EINVAL);
	cr_expect_eq(mem_cgroup_migrate(span, virt_to_span(block)), -EINVAL);
	check(span, MIB, 1);
	expect_nothing_changed();
	kfree(block);
}

Test(migrate, pinned, .init = make)
{
	struct span *old = filled(group, MIB, 1);
	struct span *new = make_span(group, MIB, SPAN_UNCHARGED);

	note();
	span_pin(old);
	cr_expect_eq(mem_cgroup_migrate(old, new), -EBUSY);
	span_unpin(old);
	span_pin(new);
	cr_expect_eq(mem_cgroup_migrate(old, new), -EBUSY);
	span_unpin(new);
	expect_nothing_changed();
	check(old, MIB, 1);
	cr_expect_eq(mem_cgroup_migrate(old, new), 0);
	check(new, MIB, 1);
	expect_nothing_changed();
}

/* A block that was freed with references left is a span as all are. */
Test(migrate, former_blocks, .init = make)
{
	struct mem_cgroup *home = set_active_memcg(group);
	char *block = kmalloc(MIB, GFP_KERNEL);
	struct span *old = virt_to_span(block);
	struct span *new = make_span(group, MIB, SPAN_UNCHARGED);

	set_active_memcg(home);
	span_get(old);
	kfree(block);
	fill(old, MIB, 1);
	note();
	cr_expect_eq(mem_cgroup_migrate(old, new), 0);
	expect_nothing_changed();
	check(new, MIB, 1);
	span_put(old);
	expect_nothing_changed();
	span_put(new);
	expect_spans(top, 0);
}

/* ---- Against others --------------------------------------------------------------------- */

static int done; /* atomic */

struct migrator {
	struct span *a, *b;
	unsigned long times;
};

static void *migrate_on(void *arg)
{
	struct migrator *m = arg;

	while (!load_acquire(&done)) {
		int err = m->times % 2 ? mem_cgroup_migrate(m->b, m->a)
				       : mem_cgroup_migrate(m->a, m->b);

		if (!err)
			m->times++;
		else
			cr_assert_eq(err, -EBUSY);
	}
	return NULL;
}

/*
 * There is room for 64 pages beside what migrates: were that charged twice for a moment,
 * these would be refused; were it uncharged, usage would be less.
 */
Test(migrate, charge_against_migrate, .init = make)
{
	struct migrator m = {.a = filled(group, 8 * MIB, 1),
			     .b = make_span(group, 8 * MIB, SPAN_UNCHARGED)};
	pthread_t thread;

	cr_assert_eq(mem_cgroup_set_max(group, 8 * MIB + 64 * PAGE_SIZE), 0);
	cr_assert_eq(pthread_create(&thread, NULL, migrate_on, &m), 0);
	for (int i = 0; i < 20000 || READ_ONCE(m.times) < 1000; i++) {
		struct span *span = make_span(group, 64 * PAGE_SIZE, 0);

		cr_assert_geq(mem_cgroup_usage(group), 8 * MIB + 64 * PAGE_SIZE);
		span_put(span);
		cr_assert_geq(mem_cgroup_usage(group), 8 * MIB);
	}
	store_release(&done, 1);
	pthread_join(thread, NULL);
	cr_expect_leq(mem_cgroup_peak(group), 8 * MIB + 64 * PAGE_SIZE);
	expect_spans(group, 8 * MIB);
	check(m.times % 2 ? m.b : m.a, 8 * MIB, 1);
	span_put(m.a);
	span_put(m.b);
	expect_spans(top, 0);
}

struct putter {
	struct span *old;
	int go; /* atomic */
};

static void *put_old(void *arg)
{
	struct putter *putter = arg;

	while (!load_acquire(&putter->go))
		cpu_relax();
	span_put(putter->old);
	return NULL;
}

/* Whoever puts old last, and whenever: it is uncharged once, with new. */
Test(migrate, uncharge_against_migrate, .init = make)
{
	for (int i = 0; i < 300; i++) {
		struct putter putter = {.old = filled(group, 64 << 10, 1)};
		struct span *new = make_span(group, 64 << 10, SPAN_UNCHARGED);
		pthread_t thread;

		span_get(putter.old);
		cr_assert_eq(pthread_create(&thread, NULL, put_old, &putter), 0);
		store_release(&putter.go, 1);
		cr_assert_eq(mem_cgroup_migrate(putter.old, new), 0);
		span_put(putter.old);
		pthread_join(thread, NULL);
		expect_spans(group, 64 << 10);
		check(new, 64 << 10, 1);
		span_put(new);
		expect_spans(group, 0);
	}
}

/* Who pins while it is moved waits, and finds the content where it is then. */
Test(migrate, pin_against_migrate, .init = make)
{
	struct migrator m = {.a = filled(group, MIB, 1), .b = filled(group, MIB, 1)};
	pthread_t thread;

	cr_assert_eq(pthread_create(&thread, NULL, migrate_on, &m), 0);
	for (int i = 0; i < 200 || READ_ONCE(m.times) < 200; i++) {
		struct span *span = i % 2 ? m.a : m.b;
		const uint32_t *data = span_pin(span);

		cr_assert(data);
		for (uint32_t j = 0; j < 1000; j++)
			cr_assert_eq(data[j], 1 + j);
		span_unpin(span);
	}
	store_release(&done, 1);
	pthread_join(thread, NULL);
	span_put(m.a);
	span_put(m.b);
	expect_spans(top, 0);
}

/* Two threads that have the same two, the other way round: neither waits for ever. */
Test(migrate, two_at_once, .init = make)
{
	struct migrator m = {.a = filled(group, MIB, 1), .b = filled(group, MIB, 1)};
	struct migrator n = {.a = m.b, .b = m.a};
	pthread_t threads[2];

	cr_assert_eq(pthread_create(&threads[0], NULL, migrate_on, &m), 0);
	cr_assert_eq(pthread_create(&threads[1], NULL, migrate_on, &n), 0);
	while (READ_ONCE(m.times) < 1000 || READ_ONCE(n.times) < 1000)
		os_sleep_us(1000);
	store_release(&done, 1);
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	expect_spans(group, 2 * MIB);
	span_put(m.a);
	span_put(m.b);
	expect_spans(top, 0);
}

/* ---- span_transfer() ---------------------------------------------------------------------- */

static void expect_moved(int64_t bytes)
{
	cr_expect_eq(numbers_of(group).usage, before_group.usage - (uint64_t)bytes);
	cr_expect_eq(numbers_of(group).spans, before_group.spans - (uint64_t)bytes);
	cr_expect_eq(numbers_of(other).usage, before_other.usage + (uint64_t)bytes);
	cr_expect_eq(numbers_of(other).spans, before_other.spans + (uint64_t)bytes);
	cr_expect_eq(numbers_of(top).usage, before_top.usage);
	cr_expect_eq(numbers_of(top).peak, before_top.peak, "the common ancestor was not asked");
}

Test(transfer, moves_the_charge, .init = make)
{
	struct span *span = filled(group, MIB, 1);
	char *start = span_pin(span);

	span_unpin(span);
	note();
	errno = 4711;
	cr_expect_eq(span_transfer(span, other), 0);
	cr_expect_eq(errno, 4711);
	cr_expect_eq(owner(span), other);
	expect_moved(MIB);
	cr_expect_eq(span_pin(span), start, "the content stays where it is");
	span_unpin(span);
	check(span, MIB, 1);
	cr_expect_eq(span_transfer(span, other), 0);
	expect_moved(MIB);
	cr_expect_eq(span_transfer(span, NULL), 0);
	cr_expect_eq(owner(span), mem_cgroup_current());
	expect_spans(top, 0);
	span_put(span);
	expect_spans(mem_cgroup_root(), 0);
}

Test(transfer, limits, .init = make)
{
	struct span *span = filled(group, MIB, 1);

	cr_assert_eq(mem_cgroup_set_max(top, mem_cgroup_usage(top)), 0);
	cr_assert_eq(mem_cgroup_set_max(other, MIB - PAGE_SIZE), 0);
	note();
	cr_expect_eq(span_transfer(span, other), -ENOMEM);
	cr_expect_eq(numbers_of(group).usage, before_group.usage);
	cr_expect_eq(numbers_of(other).usage, before_other.usage);
	cr_expect_eq(owner(span), group);
	cr_assert_eq(mem_cgroup_set_max(other, MIB), 0);
	cr_expect_eq(span_transfer(span, other), 0);
	cr_expect_eq(owner(span), other);
	span_put(span);
	expect_spans(top, 0);
}

Test(transfer, refused, .init = make)
{
	struct span *span = filled(group, MIB, 1), *nobodys = make_span(group, MIB, SPAN_UNCHARGED);
	char *block = kmalloc(MIB, GFP_KERNEL);
	struct mem_cgroup *gone = mem_cgroup_create(NULL, "gone");

	cr_assert_eq(mem_cgroup_rmdir(gone), 0);
	note();
	cr_expect_eq(span_transfer(span, gone), -ENODEV);
	cr_expect_eq(span_transfer(nobodys, other), -EINVAL);
	cr_expect_eq(span_transfer(virt_to_span(block), other), -EBUSY);
	span_pin(span);
	cr_expect_eq(span_transfer(span, other), -EBUSY);
	span_unpin(span);
	expect_nothing_changed();
	cr_expect_eq(owner(span), group);
	kfree(block);
	mem_cgroup_put(gone);
}

/* The last span of a removed group takes its obj_cgroup's last reference along. */
Test(transfer, from_a_removed_group, .init = make)
{
	struct span *span = filled(group, MIB, 1);
	uint64_t dying;

	cr_assert_eq(mem_cgroup_rmdir(group), 0);
	mem_cgroup_put(group);
	dying = mem_cgroup_nr_dying_descendants(top);
	cr_expect_eq(span_transfer(span, other), 0);
	cr_expect_eq(owner(span), other);
	cr_expect_eq(mem_cgroup_nr_dying_descendants(top), dying - 1);
	expect_spans(other, MIB);
	span_put(span);
	expect_spans(top, 0);
}

static void *transfer_on(void *arg)
{
	for (int i = 0; !load_acquire(&done); i++) {
		int err = span_transfer(arg, i % 2 ? other : group);

		cr_assert(!err || err == -EBUSY);
	}
	return NULL;
}

Test(transfer, against_pins_and_migrations, .init = make)
{
	struct migrator m = {.a = filled(group, MIB, 1),
			     .b = make_span(group, MIB, SPAN_UNCHARGED)};
	struct span *charged = filled(other, MIB, 2);
	pthread_t threads[2];

	cr_assert_eq(pthread_create(&threads[0], NULL, migrate_on, &m), 0);
	cr_assert_eq(pthread_create(&threads[1], NULL, transfer_on, charged), 0);
	for (int i = 0; i < 2000; i++) {
		int err = span_transfer(i % 3 ? m.a : m.b, i % 2 ? other : group);

		cr_assert(!err || err == -EINVAL || err == -EBUSY);
		if (i % 100 == 0) {
			check(charged, MIB, 2);
			cr_assert_eq(mem_cgroup_verify(mem_cgroup_root(), NULL), 0);
		}
	}
	store_release(&done, 1);
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	check(m.times % 2 ? m.b : m.a, MIB, 1);
	expect_spans(top, 2 * MIB);
	span_put(m.a);
	span_put(m.b);
	span_put(charged);
	expect_spans(top, 0);
}
