/* SPDX-License-Identifier: MIT */
/* Spans: references, pins, isolation, charges; and blocks of malloc() as spans. */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include <cgslab/memcg.h>
#include <cgslab/slab.h>

#include "accounting/obj_stock.h"
#include "alloc/slab/span.h"

#define MIB ((size_t)1 << 20)

static struct mem_cgroup *group;

static void make(void)
{
	group = mem_cgroup_create(NULL, "group");
	cr_assert(group);
	set_active_memcg(group);
}

static uint64_t span_bytes(struct mem_cgroup *memcg)
{
	struct mem_cgroup_stat stat = {.size = sizeof(stat)};

	cr_assert_eq(mem_cgroup_verify(mem_cgroup_root(), NULL), 0);
	cr_assert_eq(mem_cgroup_stat(memcg, &stat), 0);
	return stat.span_bytes;
}

static void in_thread(void *(*fn)(void *arg), void *arg)
{
	pthread_t thread;

	cr_assert_eq(pthread_create(&thread, NULL, fn, arg), 0);
	cr_assert_eq(pthread_join(thread, NULL), 0);
}

/* ---- Life ------------------------------------------------------------------------ */

Test(span, sizes_are_whole_pages, .init = make)
{
	const size_t sizes[] = {1, 4095, 4096, 4097, 65536, 65537, MIB + 1, 33 * MIB};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		size_t pages = round_up_to(sizes[i], os_page_size());
		struct span *span = span_alloc(sizes[i], GFP_KERNEL);

		cr_assert(span);
		cr_expect_eq(span_size(span), pages);
		cr_expect_eq(span_bytes(group), pages);
		span_put(span);
		cr_expect_eq(span_bytes(group), 0);
	}
}

Test(span, bad_arguments, .init = make)
{
	const unsigned int both = SPAN_SWAPPABLE | SPAN_UNCHARGED;

	errno = 0;
	cr_expect_null(span_alloc(0, GFP_KERNEL));
	cr_expect_eq(errno, EINVAL);
	errno = 0;
	cr_expect_null(span_alloc(4096, GFP_KERNEL | 0x40u));
	cr_expect_eq(errno, EINVAL);
	errno = 0;
	cr_expect_null(span_alloc(4096, GFP_KERNEL | both));
	cr_expect_eq(errno, EINVAL);
	errno = 0;
	cr_expect_null(span_alloc((size_t)PTRDIFF_MAX + 1, GFP_KERNEL));
	cr_expect_eq(errno, ENOMEM);
	errno = 0;
	cr_expect_null(span_alloc(PTRDIFF_MAX, GFP_KERNEL));
	cr_expect_eq(errno, ENOMEM);
	errno = 0;
	cr_expect_null(span_alloc(SIZE_MAX, GFP_KERNEL));
	cr_expect_eq(errno, ENOMEM);
	span_put(NULL);
	cr_expect_eq(span_bytes(group), 0);
}

Test(span, zeroed, .init = make)
{
	for (int i = 0; i < 20; i++) {
		struct span *span = span_alloc(MIB, GFP_KERNEL | __GFP_ZERO);
		char *data = span_pin(span);

		for (size_t j = 0; j < MIB; j++)
			cr_assert_eq(data[j], 0);
		memset(data, 0x5a, MIB);
		span_unpin(span);
		span_put(span);
	}
}

Test(span, last_reference, .init = make)
{
	struct span *span = span_alloc(MIB, GFP_KERNEL);

	span_get(span);
	span_get(span);
	span_put(span);
	span_put(span);
	cr_expect_eq(span_bytes(group), MIB);
	errno = 4711;
	span_put(span);
	cr_expect_eq(errno, 4711);
	cr_expect_eq(span_bytes(group), 0);
}

Test(span, put_too_often, .init = make, .signal = SIGABRT)
{
	struct span *span = span_alloc(MIB, GFP_KERNEL);

	span_put(span);
	span_put(span);
}

/* Pinned or not; what is charged to nobody stays. */
Test(span, killed_with_its_group, .init = make)
{
	struct span *uncharged = span_alloc(MIB, GFP_KERNEL | SPAN_UNCHARGED);
	struct span *span = span_alloc(MIB, GFP_KERNEL);
	uint64_t usage;

	span_get(span);
	memset(span_pin(span), 1, MIB);
	memset(span_pin(uncharged), 1, MIB);
	span_alloc(MIB, GFP_KERNEL | SPAN_SWAPPABLE);
	virt_to_span(kmalloc(MIB, GFP_KERNEL));
	cr_expect_eq(span_bytes(group), 3 * MIB);
	set_active_memcg(NULL);
	usage = mem_cgroup_usage(mem_cgroup_root());
	cr_assert_eq(mem_cgroup_kill(group, MEMCG_KILL_WIPE), 0);
	cr_expect_eq(mem_cgroup_usage(mem_cgroup_root()), usage - 3 * MIB);
	cr_expect_eq(span_bytes(mem_cgroup_root()), 0);
	cr_expect_eq(((char *)span_pin(uncharged))[MIB - 1], 1);
	span_unpin(uncharged);
	span_unpin(uncharged);
	span_put(uncharged);
}

Test(span, refused_at_the_limit, .init = make)
{
	struct span *span;

	cr_assert_eq(mem_cgroup_set_max(group, 2 * MIB), 0);
	span = span_alloc(MIB, GFP_KERNEL);
	cr_assert(span);
	errno = 0;
	cr_expect_null(span_alloc(MIB + 1, GFP_KERNEL));
	cr_expect_eq(errno, ENOMEM);
	cr_expect_eq(span_bytes(group), MIB);
	span_put(span);
}

Test(span, uncharged, .init = make)
{
	struct span *span;
	uint64_t usage = mem_cgroup_usage(group);

	cr_assert_eq(mem_cgroup_set_max(group, MIB), 0);
	span = span_alloc(8 * MIB, GFP_KERNEL | SPAN_UNCHARGED);
	cr_assert(span);
	cr_expect_null(span_memcg(span));
	cr_expect_eq(span_bytes(mem_cgroup_root()), 0);
	cr_expect_eq(mem_cgroup_usage(group), usage);
	memset(span_pin(span), 1, 8 * MIB);
	cr_expect_null(mem_cgroup_from_obj(span_pin(span)));
	span_unpin(span);
	span_unpin(span);
	span_put(span);
	cr_expect_eq(mem_cgroup_usage(group), usage);
}

/* The charge passes to the parent, and comes back from there. */
Test(span, outlives_its_group, .init = make)
{
	struct span *span = span_alloc(MIB, GFP_KERNEL);
	struct mem_cgroup *parent = mem_cgroup_parent(group);

	cr_expect_eq(span_memcg(span), group);
	set_active_memcg(NULL);
	cr_assert_eq(mem_cgroup_rmdir(group), 0);
	cr_expect_eq(span_memcg(span), parent);
	cr_expect_eq(span_bytes(parent), MIB);
	memset(span_pin(span), 1, MIB);
	span_unpin(span);
	span_put(span);
	cr_expect_eq(span_bytes(parent), 0);
	mem_cgroup_put(group);
}

/* ---- Pins ------------------------------------------------------------------------ */

Test(pin, nests, .init = make)
{
	struct span *span = span_alloc(MIB, GFP_KERNEL);
	char *data = span_pin(span);

	cr_expect_eq((uintptr_t)data % os_page_size(), 0);
	cr_expect_eq(span_pin(span), data);
	span_unpin(span);
	cr_expect(span_is_pinned(span_slab(span)));
	span_unpin(span);
	cr_expect(!span_is_pinned(span_slab(span)));
	span_put(span);
}

static void *pin(void *span)
{
	cr_assert(span_pin(span));
	return NULL;
}

static void *unpin(void *span)
{
	span_unpin(span);
	return NULL;
}

static void expect_unpinned(struct span *span)
{
	cr_expect(!span_is_pinned(span_slab(span)));
	cr_expect_eq(span_isolate(span_slab(span)), 0);
	span_putback(span_slab(span));
}

static void expect_pinned(struct span *span)
{
	cr_expect(span_is_pinned(span_slab(span)));
	cr_expect_eq(span_isolate(span_slab(span)), -EBUSY);
}

/* By whoever allocated it and by others, in all combinations. */
Test(pin, belongs_to_nobody, .init = make)
{
	struct span *span = span_alloc(MIB, GFP_KERNEL);

	for (int i = 0; i < 1000; i++) {
		in_thread(i % 2 ? pin : unpin, span);
		if (i % 2)
			span_unpin(span);
		else
			cr_assert(span_pin(span));
		expect_unpinned(span);
	}
	in_thread(pin, span);
	expect_pinned(span);
	in_thread(unpin, span);
	expect_unpinned(span);
	span_put(span);
}

/* Each part of the count goes its way, around and around. */
Test(pin, parts_wrap, .init = make)
{
	struct span *span = span_alloc(MIB, GFP_KERNEL);
	struct slab *slab = span_slab(span);

	slab->own_pins = UINT32_MAX;
	slab->state += SPAN_PIN;
	expect_unpinned(span);
	cr_assert(span_pin(span));
	cr_expect_eq(slab->own_pins, 0);
	expect_pinned(span);
	in_thread(unpin, span);
	expect_unpinned(span);
	slab->own_pins = 0x7fffff;
	slab->state -= 0x7fffffu * SPAN_PIN;
	expect_unpinned(span);
	cr_assert(span_pin(span));
	in_thread(unpin, span);
	expect_unpinned(span);
	cr_expect(slab->state & SPAN_CHARGED);
	span_put(span);
}

/* As where the kernel has no membarrier. */
Test(pin, without_a_pinner, .init = make)
{
	struct span *span = span_alloc(MIB, GFP_KERNEL);

	span_slab(span)->pinner = SPAN_NO_PINNER;
	cr_assert(span_pin(span));
	cr_expect_eq(span_slab(span)->own_pins, 0);
	expect_pinned(span);
	in_thread(unpin, span);
	expect_unpinned(span);
	span_put(span);
}

static void *make_span(void *arg)
{
	*(struct span **)arg = span_alloc(MIB, GFP_KERNEL);
	cr_assert(span_pin(*(struct span **)arg));
	return NULL;
}

/* Its pin stays; nobody takes the place of the pinner. */
Test(pin, thread_ends, .init = make)
{
	struct span *span, *other;

	in_thread(make_span, &span);
	in_thread(make_span, &other);
	cr_expect_neq(span_slab(span)->pinner, span_slab(other)->pinner);
	expect_pinned(span);
	span_unpin(span);
	expect_unpinned(span);
	in_thread(unpin, other);
	expect_unpinned(other);
	span_put(span);
	span_put(other);
}

Test(pin, put_of_a_pinned_span, .init = make, .signal = SIGABRT)
{
	struct span *span = span_alloc(MIB, GFP_KERNEL);

	span_pin(span);
	span_put(span);
}

/* ---- Isolation ------------------------------------------------------------------- */

Test(isolate, one_at_a_time, .init = make)
{
	struct span *span = span_alloc(MIB, GFP_KERNEL);
	struct slab *slab = span_slab(span);

	cr_assert_eq(span_isolate(slab), 0);
	cr_expect(!span_isolate_begin(slab));
	span_putback(slab);
	span_gate_enter();
	cr_expect(span_isolate_begin(slab));
	cr_expect(!span_isolate_begin(slab));
	cr_expect(span_isolate_check(slab));
	span_end_busy(slab);
	span_gate_leave();
	cr_assert(span_pin(span));
	cr_expect(!span_isolate_begin(slab));
	span_unpin(span);
	cr_expect_eq(slab->state, SPAN_CHARGED);
	span_put(span);
}

struct waiter {
	struct span *span;
	int done; /* atomic */
};

static void *pin_and_tell(void *arg)
{
	struct waiter *waiter = arg;

	cr_assert(span_pin(waiter->span));
	store_release(&waiter->done, 1);
	return NULL;
}

static void *isolate_and_tell(void *arg)
{
	struct waiter *waiter = arg;

	cr_assert_eq(span_isolate(span_slab(waiter->span)), 0);
	store_release(&waiter->done, 1);
	span_putback(span_slab(waiter->span));
	return NULL;
}

static void expect_waits(void *(*fn)(void *arg))
{
	struct waiter waiter = {.span = span_alloc(MIB, GFP_KERNEL)};
	struct slab *slab = span_slab(waiter.span);
	pthread_t thread;

	cr_assert_eq(span_isolate(slab), 0);
	cr_expect(!span_is_wanted(slab));
	cr_assert_eq(pthread_create(&thread, NULL, fn, &waiter), 0);
	while (!span_is_wanted(slab))
		os_sleep_us(100);
	os_sleep_us(1000);
	cr_expect_eq(load_acquire(&waiter.done), 0);
	span_putback(slab);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	cr_expect_eq(load_acquire(&waiter.done), 1);
}

Test(isolate, pin_waits_for_its_end, .init = make)
{
	expect_waits(pin_and_tell);
}

Test(isolate, next_waits_for_its_end, .init = make)
{
	expect_waits(isolate_and_tell);
}

/* Who has it BUSY hands it over pinned. */
Test(isolate, ends_pinned, .init = make)
{
	struct span *span = span_alloc(MIB, GFP_KERNEL);

	cr_assert_eq(span_isolate(span_slab(span)), 0);
	span_pin_busy(span_slab(span));
	span_putback(span_slab(span));
	expect_pinned(span);
	span_unpin(span);
	expect_unpinned(span);
	span_put(span);
}

Test(isolate, stamps_are_in_order, .init = make)
{
	struct span *a = span_alloc(MIB, GFP_KERNEL), *b = span_alloc(MIB, GFP_KERNEL);

	cr_assert(span_pin(a) && span_pin(b));
	span_unpin(a);
	span_unpin(b);
	cr_expect_lt(span_slab(a)->unpinned, span_slab(b)->unpinned);
	cr_assert(span_pin(a));
	span_unpin(a);
	cr_expect_gt(span_slab(a)->unpinned, span_slab(b)->unpinned);
	/* By a thread that has unpinned less. */
	span_clock_advance();
	cr_assert(span_pin(b));
	in_thread(unpin, b);
	cr_expect_lt(span_slab(a)->unpinned, span_slab(b)->unpinned);
	span_put(a);
	span_put(b);
}

/* ---- Blocks of malloc() ----------------------------------------------------------- */

Test(block, is_a_pinned_span, .init = make)
{
	char *block = kmalloc(MIB, GFP_KERNEL);
	struct span *span = virt_to_span(block);

	cr_assert(span);
	cr_expect_eq(span_size(span), MIB);
	cr_expect_eq(span_memcg(span), group);
	cr_expect_eq(span_pin(span), block);
	span_unpin(span);
	expect_pinned(span);
	kfree(block);
	cr_expect_eq(span_bytes(group), 0);
}

Test(block, is_no_span, .init = make)
{
	char *small = kmalloc(100, GFP_KERNEL), *large = kmalloc(MIB, GFP_KERNEL);
	struct span *span = span_alloc(MIB, GFP_KERNEL);
	char *start = span_pin(span);
	int on_the_stack;

	cr_expect_null(virt_to_span(NULL));
	cr_expect_null(virt_to_span(&on_the_stack));
	cr_expect_null(virt_to_span(small));
	cr_expect_null(virt_to_span(large + 16));
	cr_expect_null(virt_to_span(large + 8192));
	cr_expect_eq(virt_to_span(start), span);
	span_unpin(span);
	cr_expect_null(virt_to_span(start));
	kfree(small);
	kfree(large);
	cr_expect_null(virt_to_span(large));
	span_put(span);
	cr_expect_null(virt_to_span(start));
}

Test(block, outlives_free, .init = make)
{
	char *block = kmalloc(MIB, GFP_KERNEL);
	struct span *span = virt_to_span(block);

	memset(block, 0x5a, MIB);
	span_get(span);
	errno = 4711;
	kfree(block);
	cr_expect_eq(errno, 4711);
	cr_expect_eq(span_bytes(group), MIB);
	cr_expect_null(virt_to_span(block));
	expect_unpinned(span);
	block = span_pin(span);
	for (size_t i = 0; i < MIB; i++)
		cr_assert_eq(block[i], 0x5a);
	span_unpin(span);
	span_put(span);
	cr_expect_eq(span_bytes(group), 0);
}

Test(block, reference_may_go_first, .init = make)
{
	char *block = kmalloc(MIB, GFP_KERNEL);

	span_get(virt_to_span(block));
	span_put(virt_to_span(block));
	kfree(block);
	cr_expect_eq(span_bytes(group), 0);
}

static void expect_copied(size_t size)
{
	char *block = kmalloc(MIB, GFP_KERNEL), *new;
	struct span *span = virt_to_span(block);

	memset(block, 0x5a, MIB);
	span_get(span);
	cr_expect_eq(span_pin(span), block);
	new = krealloc(block, size, GFP_KERNEL);
	cr_assert(new &&new != block);
	cr_expect_neq(virt_to_span(new), span);
	cr_expect_eq(span_bytes(group), (size > KMALLOC_MAX_CACHE_SIZE ? size : 0) + MIB);
	memset(new, 1, size);
	for (size_t i = 0; i < MIB; i++)
		cr_assert_eq(block[i], 0x5a);
	span_unpin(span);
	span_put(span);
	kfree(new);
	cr_expect_eq(span_bytes(group), 0);
}

Test(block, realloc_leaves_what_others_have, .init = make)
{
	expect_copied(4 * MIB);
	expect_copied(MIB / 4);
	expect_copied(1024);
}

Test(block, kfree_of_a_span, .init = make, .signal = SIGABRT)
{
	kfree(span_pin(span_alloc(MIB, GFP_KERNEL)));
}

Test(block, krealloc_of_a_span, .init = make, .signal = SIGABRT)
{
	krealloc(span_pin(span_alloc(MIB, GFP_KERNEL)), 2 * MIB, GFP_KERNEL);
}

Test(block, ksize_of_a_span, .init = make, .signal = SIGABRT)
{
	ksize(span_pin(span_alloc(MIB, GFP_KERNEL)));
}

Test(block, second_free, .init = make, .signal = SIGABRT)
{
	char *block = kmalloc(MIB, GFP_KERNEL);

	span_get(virt_to_span(block));
	kfree(block);
	kfree(block);
}

Test(block, put_without_get, .init = make, .signal = SIGABRT)
{
	span_put(virt_to_span(kmalloc(MIB, GFP_KERNEL)));
}
