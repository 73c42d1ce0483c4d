/* SPDX-License-Identifier: MIT */
/* Swap when the library has no memory for itself. */
#include <criterion/criterion.h>
#include <errno.h>

#include "alloc/base/meta.h"
#include "alloc/pages/page_run.h"
#include "tests/shrinker/cg.h"
#include "tests/shrinker/swapper.h"

static bool no_memory; /* for anything of ours */
static bool no_runs;

/* In the place of meta_alloc() and page_run_alloc(); see BUILD. */
void *__real_meta_alloc(size_t size);
void *__wrap_meta_alloc(size_t size);
char *__real_page_run_alloc(size_t npages, size_t align, bool *zeroed);
char *__wrap_page_run_alloc(size_t npages, size_t align, bool *zeroed);

void *__wrap_meta_alloc(size_t size)
{
	return no_memory ? NULL : __real_meta_alloc(size);
}

char *__wrap_page_run_alloc(size_t npages, size_t align, bool *zeroed)
{
	return no_runs ? NULL : __real_page_run_alloc(npages, align, zeroed);
}

static struct mem_cgroup *group;

static void make(void)
{
	swapper_begin();
	group = cg_create(NULL, "group");
}

static void end(void)
{
	cg_destroy(group);
	swapper_end();
}

/* What is on no list stays in memory; and it is given up as any other. */
Test(swap_memory, no_lists, .init = make, .fini = end)
{
	struct span *first, *second;
	struct numbers before;

	set_active_memcg(group); /* which takes memory */
	no_memory = true;
	first = span_alloc(SPAN, GFP_KERNEL | SPAN_SWAPPABLE);
	no_memory = false;
	set_active_memcg(NULL);
	cr_assert(first);
	swapper_fill(first, 1);
	second = swapper_span(group, SPAN, 2);
	before = numbers_of(group);
	cr_expect(!swapper_reclaim(group, 2 * SPAN), "the one has gone, not the other");
	cr_expect(swapper_is_out(second) && !swapper_is_out(first));
	EXPECT_CHANGES(&before, {CURRENT, -(int64_t)SPAN}, {SPANS, -(int64_t)SPAN}, {SWAP, SPAN},
		       {SWAP_PEAK, SPAN}, {PSWPOUT, PAGES(SPAN)}, {FILE_BYTES, SPAN});
	cr_expect(swapper_is_whole(first, 1));
	cr_expect(swapper_is_whole(second, 2));
	span_put(first);
	span_put(second);
}

static struct span *span;

static void lose_memory(void)
{
	swapper.at_write = NULL;
	no_memory = true;
}

/* Without memory to note where it is, it stays. */
Test(swap_memory, no_entry, .init = make, .fini = end)
{
	struct span *second;
	struct numbers before;

	span = swapper_span(group, SPAN, 1);
	cr_expect(swapper_reclaim(group, SPAN), "and there is memory to count it");
	cr_expect(swapper_is_whole(span, 1));
	second = swapper_span(group, SPAN, 2);
	before = numbers_of(group);
	swapper.at_write = lose_memory; /* with the first that goes */
	cr_expect(!swapper_reclaim(group, 2 * SPAN));
	no_memory = false;
	cr_expect(swapper_is_out(span) && !swapper_is_out(second));
	cr_expect_gt(swapper_number(group, SWAP_FAIL_EVENTS), 0);
	EXPECT_CHANGES(&before, {CURRENT, -(int64_t)SPAN}, {SPANS, -(int64_t)SPAN}, {SWAP, SPAN},
		       {PSWPOUT, PAGES(SPAN)}, {FILE_BYTES, SPAN},
		       {SWAP_FAIL_EVENTS, swapper_number(group, SWAP_FAIL_EVENTS)});
	cr_expect(swapper_reclaim(group, SPAN));
	cr_expect(swapper_is_whole(span, 1));
	cr_expect(swapper_is_whole(second, 2));
	span_put(span);
	span_put(second);
}

/* Without memory to read it to, it stays out. */
Test(swap_memory, no_run, .init = make, .fini = end)
{
	struct numbers before;

	span = swapper_span(group, SPAN, 1);
	cr_expect(swapper_reclaim(group, SPAN));
	before = numbers_of(group);
	no_runs = true;
	errno = 0;
	cr_expect_null(span_pin(span));
	cr_expect_eq(errno, ENOMEM);
	no_runs = false;
	EXPECT_CHANGES(&before, {PEAK, 0});
	cr_expect(swapper_is_whole(span, 1));
	span_put(span);
}
