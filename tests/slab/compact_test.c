/* SPDX-License-Identifier: MIT */
/* Compaction: which spans move, where to, and what stays as it was. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <string.h>

#include <cgslab/memcg.h>
#include <cgslab/slab.h>

#include "alloc/pages/page_huge.h"
#include "alloc/pages/page_run.h"
#include "alloc/slab/span.h"
#include "tests/slab/child.h"

#define KIB   ((size_t)1 << 10)
#define SIZE  (256 * KIB)
#define EACH  (HUGE_SIZE / SIZE) /* spans of SIZE in a huge page */
#define HUGES 16
#define N     (HUGES * EACH)

static struct mem_cgroup *group;
static struct span *spans[N];

static void fill(struct span *span, unsigned int seed)
{
	uint32_t *data = span_pin(span);

	cr_assert(data);
	for (size_t i = 0; i < span_size(span) / sizeof(*data); i++)
		data[i] = seed + (uint32_t)i;
	span_unpin(span);
}

static void check(struct span *span, unsigned int seed)
{
	const uint32_t *data = span_pin(span);
	size_t n = span_size(span) / sizeof(*data), i = 0;

	cr_assert(data);
	while (i < n && data[i] == seed + (uint32_t)i)
		i++;
	cr_assert_eq(i, n, "word %zu of %zu", i, n);
	span_unpin(span);
}

static void make_group(void)
{
	group = mem_cgroup_create(NULL, "group");
	cr_assert(group);
	set_active_memcg(group);
}

static void make_spans(void)
{
	for (unsigned int i = 0; i < N; i++) {
		spans[i] = span_alloc(SIZE, GFP_KERNEL);
		fill(spans[i], i);
	}
}

/* N spans side by side, from the start of a huge page on. */
static void make(void)
{
	struct span *before;

	make_group();
	before = span_alloc(SIZE, GFP_KERNEL);
	span_alloc(HUGE_SIZE - (size_t)span_pin(before) % HUGE_SIZE - SIZE, GFP_KERNEL);
	span_unpin(before);
	make_spans();
	cr_assert_eq((size_t)span_pin(spans[0]) % HUGE_SIZE, 0);
	span_unpin(spans[0]);
}

static void put(unsigned int i)
{
	span_put(spans[i]);
	spans[i] = NULL;
}

/* Keeps the first of each huge page, and all of the first one. */
static void scatter(void)
{
	for (unsigned int i = EACH; i < N; i++)
		if (i % EACH)
			put(i);
	for (unsigned int i = 1; i < 4; i++)
		put(i);
}

static void check_all(void)
{
	for (unsigned int i = 0; i < N; i++)
		if (spans[i])
			check(spans[i], i);
	page_runs_validate();
	cr_expect_eq(mem_cgroup_verify(mem_cgroup_root(), NULL), 0);
}

static char *address(struct span *span)
{
	char *start = span_pin(span);

	span_unpin(span);
	return start;
}

/* Huge pages that any of them lies in. */
static unsigned int huges(void)
{
	char *seen[N];
	unsigned int n = 0;

	for (unsigned int i = 0; i < N; i++) {
		char *huge;
		unsigned int j = 0;

		if (!spans[i])
			continue;
		huge = (char *)((size_t)address(spans[i]) & ~(HUGE_SIZE - 1));
		while (j < n && seen[j] != huge)
			j++;
		if (j == n)
			seen[n++] = huge;
	}
	return n;
}

Test(compact, scattered_spans_get_together, .init = make)
{
	uint64_t usage, peak;
	struct page_run_stats stats;
	size_t used;

	scatter();
	usage = mem_cgroup_usage(group);
	peak = mem_cgroup_peak(group);
	page_runs_stats(&stats);
	used = stats.used;
	cr_expect_eq(huges(), HUGES);
	/* The first has room for three; then they are two, three... at the next ones. */
	cr_expect_geq(span_compact(), (HUGES - 3) * HUGE_SIZE);
	cr_expect_leq(huges(), 3);
	check_all();
	cr_expect_eq(mem_cgroup_usage(group), usage, "it is charged as before");
	cr_expect_eq(mem_cgroup_peak(group), peak, "and never was more");
	page_runs_stats(&stats);
	cr_expect_eq(stats.used, used);
	cr_expect_eq(span_compact(), 0, "nothing is left to be done");
	check_all();
}

Test(compact, what_is_pinned_stays, .init = make)
{
	char *pinned;

	scatter();
	pinned = span_pin(spans[(HUGES - 1) * EACH]);
	cr_expect_gt(span_compact(), 0);
	cr_expect_eq(address(spans[(HUGES - 1) * EACH]), pinned);
	check_all();
	span_unpin(spans[(HUGES - 1) * EACH]);
	cr_expect_eq(span_compact(), HUGE_SIZE);
	cr_expect_neq(address(spans[(HUGES - 1) * EACH]), pinned);
	check_all();
}

/* One that is in use by a block keeps its huge page, so nothing of it goes. */
Test(compact, blocks_stay, .init = make)
{
	const unsigned int last = N - EACH;
	char *block, *start;

	scatter();
	block = kmalloc(SIZE, GFP_KERNEL);
	while ((char *)((size_t)block & ~(HUGE_SIZE - 1)) != address(spans[last]))
		block = kmalloc(SIZE, GFP_KERNEL);
	memset(block, 1, SIZE);
	start = address(spans[last]);
	span_compact();
	cr_expect_eq(address(spans[last]), start);
	for (size_t i = 0; i < SIZE; i++)
		cr_assert_eq(block[i], 1);
	check_all();
	kfree(block);
	span_compact();
	check_all();
}

Test(compact, uncharged_and_swappable_ones_move_too, .init = make)
{
	scatter();
	put(N - EACH);
	put(N - 2 * EACH);
	spans[N - EACH] = span_alloc(SIZE, GFP_KERNEL | SPAN_UNCHARGED);
	spans[N - 2 * EACH] = span_alloc(SIZE, GFP_KERNEL | SPAN_SWAPPABLE);
	fill(spans[N - EACH], N - EACH);
	fill(spans[N - 2 * EACH], N - 2 * EACH);
	cr_expect_geq(span_compact(), (HUGES - 3) * HUGE_SIZE);
	cr_expect_leq(huges(), 3);
	check_all();
}

/* A block that was freed while somebody had a reference is a span like all others. */
Test(compact, former_blocks_move, .init = make)
{
	char *block;

	for (unsigned int i = 1; i < N; i++)
		put(i);
	for (unsigned int i = 1; i < N; i++) {
		block = kmalloc(SIZE, GFP_KERNEL);
		if (i % EACH) {
			kfree(block);
			continue;
		}
		spans[i] = virt_to_span(block);
		span_get(spans[i]);
		kfree(block);
		fill(spans[i], i);
	}
	span_compact();
	check_all();
}

/* The gaps are shorter than what would have to go there. */
Test(compact, nothing_fits, .init = make_group)
{
	struct span *gaps[HUGES];

	for (unsigned int i = 0; i < HUGES; i++) {
		spans[i] = span_alloc(HUGE_SIZE / 8 * 5, GFP_KERNEL);
		gaps[i] = span_alloc(HUGE_SIZE / 8 * 3, GFP_KERNEL);
		fill(spans[i], i);
	}
	for (unsigned int i = 0; i < HUGES; i++)
		span_put(gaps[i]);
	cr_expect_eq(span_compact(), 0);
	check_all();
}

Test(compact, idle_huge_pages_go_back, .init = make)
{
	for (unsigned int i = N / 2; i < N; i++)
		put(i);
	cr_expect_geq(span_compact(), HUGES / 2 * HUGE_SIZE);
	cr_expect_eq(span_compact(), 0);
	check_all();
}

/* Small ones: whether they straddle the borders of huge pages or not. */
Test(compact, all_lengths)
{
	enum { M = 4000 };
	static struct span *small[M];
	size_t went = 0;

	for (unsigned int i = 0; i < M; i++) {
		small[i] = span_alloc((1 + i * 37 % 61) * PAGE_SIZE, GFP_KERNEL);
		fill(small[i], i);
	}
	for (unsigned int round = 1; round < 6; round++) {
		for (unsigned int i = 0; i < M; i++) {
			if (small[i] && i * 2654435761u % 16 > 12 - 2 * round) {
				span_put(small[i]);
				small[i] = NULL;
			}
		}
		went += span_compact();
		page_runs_validate();
	}
	for (unsigned int i = 0; i < M; i++) {
		if (!small[i])
			continue;
		check(small[i], i);
		span_put(small[i]);
	}
	cr_expect_gt(went, 0);
	cr_expect_eq(mem_cgroup_verify(mem_cgroup_root(), NULL), 0);
}

/* ---- While others use them -------------------------------------------------------- */

static int done; /* atomic */

static void *use(void *arg)
{
	unsigned int first = (unsigned int)(uintptr_t)arg;

	while (!load_acquire(&done)) {
		for (unsigned int i = first; i < N; i += 2 * EACH)
			check(spans[i], i);
		for (unsigned int i = first; i < N; i += 2 * EACH) {
			put(i);
			spans[i] = span_alloc(SIZE, GFP_KERNEL);
			fill(spans[i], i);
		}
	}
	return NULL;
}

Test(compact, beside_others, .init = make)
{
	pthread_t threads[2];

	scatter();
	for (uintptr_t i = 0; i < 2; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, use, (void *)(i * EACH)), 0);
	for (int i = 0; i < 100; i++)
		span_compact();
	store_release(&done, 1);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	check_all();
}

/* What a killed group had is not looked at. */
static void *compact_on(void *arg)
{
	(void)arg;
	while (!load_acquire(&done))
		span_compact();
	return NULL;
}

Test(compact, beside_kill)
{
	pthread_t thread;

	cr_assert_eq(pthread_create(&thread, NULL, compact_on, NULL), 0);
	for (int i = 0; i < 20; i++) {
		make_group();
		make_spans();
		scatter();
		set_active_memcg(NULL);
		cr_assert_eq(mem_cgroup_kill(group, i % 2 ? MEMCG_KILL_WIPE : 0), 0);
		mem_cgroup_put(group);
	}
	store_release(&done, 1);
	pthread_join(thread, NULL);
	page_runs_validate();
	cr_expect_eq(mem_cgroup_verify(mem_cgroup_root(), NULL), 0);
}

/* A child has no run of nobody, and no span that nobody will let go. */
static size_t used;

static void look_and_compact(void)
{
	struct page_run_stats stats;

	page_runs_stats(&stats);
	CHILD_CHECK(stats.used == used);
	for (unsigned int i = 0; i < N; i++)
		if (spans[i])
			fill(spans[i], i + 1);
	span_compact();
	for (unsigned int i = 0; i < N; i++)
		if (spans[i])
			check(spans[i], i + 1);
	page_runs_validate();
	child_verify();
}

Test(compact, beside_fork, .init = make)
{
	struct page_run_stats stats;
	pthread_t thread;

	scatter();
	page_runs_stats(&stats);
	cr_assert_eq(pthread_create(&thread, NULL, compact_on, NULL), 0);
	for (int i = 0; i < 40; i++) {
		/* So that there is something to move, right now. */
		for (unsigned int j = EACH; j < N; j++)
			if (!spans[j])
				spans[j] = span_alloc(SIZE, GFP_KERNEL);
		for (unsigned int j = EACH; j < N; j++)
			if (j % EACH)
				put(j);
		used = stats.used;
		cr_assert_eq(child_run(fork, look_and_compact), 0);
	}
	store_release(&done, 1);
	pthread_join(thread, NULL);
	for (unsigned int i = 0; i < N; i += EACH)
		fill(spans[i], i);
	check_all();
}
