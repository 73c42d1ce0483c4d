/* SPDX-License-Identifier: MIT */
#include "tests/shrinker/swapper.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "accounting/obj_stock.h"
#include "alloc/slab/span.h"
#include "alloc/swap/swap_area.h"
#include "alloc/swap/swap_io.h"

char swapper_directory[256];
struct swapper swapper;

/* ---- The file --------------------------------------------------------------- */

static struct swap_io real;

static size_t piece(size_t bytes)
{
	return swapper.piece && swapper.piece < bytes ? swapper.piece : bytes;
}

static ssize_t fake_pwrite(int fd, const void *data, size_t bytes, off_t offset)
{
	__atomic_add_fetch(&swapper.writes, 1, __ATOMIC_RELAXED);
	if (swapper.at_write)
		swapper.at_write();
	if (!swapper.write_error)
		return real.pwrite(fd, data, piece(bytes), offset);
	errno = swapper.write_error;
	return -1;
}

static ssize_t fake_pread(int fd, void *data, size_t bytes, off_t offset)
{
	__atomic_add_fetch(&swapper.reads, 1, __ATOMIC_RELAXED);
	if (swapper.at_read)
		swapper.at_read();
	if (!swapper.read_error)
		return real.pread(fd, data, piece(bytes), offset);
	errno = swapper.read_error;
	return -1;
}

void swapper_begin(void)
{
	const char *tmp = getenv("TEST_TMPDIR");

	snprintf(swapper_directory, sizeof(swapper_directory), "%s/swap.XXXXXX",
		 tmp ? tmp : "/tmp");
	cr_assert(mkdtemp(swapper_directory));
	real = swap_io;
	swap_io.pwrite = fake_pwrite;
	swap_io.pread = fake_pread;
	cr_assert_eq(span_swapon(swapper_directory, UINT64_MAX), 0);
}

/* What had a name would be left. */
void swapper_end(void)
{
	cr_expect_eq(span_swapoff(), 0);
	cr_expect_eq(rmdir(swapper_directory), 0);
	cr_expect_eq(mem_cgroup_verify(mem_cgroup_root(), NULL), 0);
}

/* ---- Spans ------------------------------------------------------------------ */

static uint64_t word_at(size_t i, unsigned int seed)
{
	return (i + 1) * 0x9e3779b97f4a7c15ull + seed;
}

void swapper_fill(struct span *span, unsigned int seed)
{
	uint64_t *words = span_pin(span);

	cr_assert(words);
	for (size_t i = 0; i < span_size(span) / sizeof(*words); i++)
		words[i] = word_at(i, seed);
	span_unpin(span);
}

struct span *swapper_span(struct mem_cgroup *memcg, size_t bytes, unsigned int seed)
{
	struct mem_cgroup *old = set_active_memcg(memcg);
	struct span *span = span_alloc(bytes, GFP_KERNEL | SPAN_SWAPPABLE);

	set_active_memcg(old);
	cr_assert(span);
	swapper_fill(span, seed);
	return span;
}

bool swapper_is_whole(struct span *span, unsigned int seed)
{
	uint64_t *words = span_pin(span);
	bool whole = true;

	if (!words)
		return false;
	for (size_t i = 0; i < span_size(span) / sizeof(*words); i++)
		whole &= words[i] == word_at(i, seed);
	span_unpin(span);
	return whole;
}

bool swapper_is_out(struct span *span)
{
	return span_is_out(span_slab(span));
}

bool swapper_reclaim(struct mem_cgroup *memcg, size_t bytes)
{
	memcg_drain_stocks(memcg);
	return mem_cgroup_reclaim(memcg, bytes) == 0;
}

/* ---- Numbers ------------------------------------------------------------------ */

static const char *const names[NR_NUMBERS] = {
	[CURRENT] = "memory.current",
	[PEAK] = "memory.peak",
	[SPANS] = "span bytes",
	[SWAP] = "swap.current",
	[SWAP_PEAK] = "swap.peak",
	[ENTRIES] = "swap",
	[TRANSIT] = "swap_transit",
	[ZSWAP] = "zswap.current",
	[ZSWAPPED] = "zswapped",
	[PSWPIN] = "pswpin",
	[PSWPOUT] = "pswpout",
	[ZSWPIN] = "zswpin",
	[ZSWPOUT] = "zswpout",
	[ZSWPWB] = "zswpwb",
	[MAX_EVENTS] = "events max",
	[OOM_EVENTS] = "events oom",
	[SWAP_HIGH_EVENTS] = "swap events high",
	[SWAP_MAX_EVENTS] = "swap events max",
	[SWAP_FAIL_EVENTS] = "swap events fail",
	[FILE_BYTES] = "bytes in the file",
};

static void read_numbers(struct mem_cgroup *memcg, int64_t *of)
{
	struct mem_cgroup_stat stat = {.size = sizeof(stat)};
	struct swap_area_stats file;

	cr_assert_eq(mem_cgroup_stat(memcg, &stat), 0);
	swap_area_stats(&file);
	of[CURRENT] = (int64_t)mem_cgroup_usage(memcg);
	of[PEAK] = (int64_t)mem_cgroup_peak(memcg);
	of[SPANS] = (int64_t)stat.span_bytes;
	of[SWAP] = (int64_t)mem_cgroup_swap_usage(memcg);
	of[SWAP_PEAK] = (int64_t)mem_cgroup_swap_peak(memcg);
	of[ENTRIES] = (int64_t)stat.swap_bytes;
	of[TRANSIT] = (int64_t)stat.swap_transit;
	of[ZSWAP] = (int64_t)stat.zswap_bytes;
	of[ZSWAPPED] = (int64_t)stat.zswapped;
	of[PSWPIN] = (int64_t)stat.pswpin;
	of[PSWPOUT] = (int64_t)stat.pswpout;
	of[ZSWPIN] = (int64_t)stat.zswpin;
	of[ZSWPOUT] = (int64_t)stat.zswpout;
	of[ZSWPWB] = (int64_t)stat.zswpwb;
	of[MAX_EVENTS] = (int64_t)mem_cgroup_event(memcg, MEMCG_EVENT_MAX);
	of[OOM_EVENTS] = (int64_t)mem_cgroup_event(memcg, MEMCG_EVENT_OOM);
	of[SWAP_HIGH_EVENTS] = (int64_t)mem_cgroup_event(memcg, MEMCG_EVENT_SWAP_HIGH);
	of[SWAP_MAX_EVENTS] = (int64_t)mem_cgroup_event(memcg, MEMCG_EVENT_SWAP_MAX);
	of[SWAP_FAIL_EVENTS] = (int64_t)mem_cgroup_event(memcg, MEMCG_EVENT_SWAP_FAIL);
	of[FILE_BYTES] = (int64_t)file.bytes;
}

int64_t swapper_number(struct mem_cgroup *memcg, enum number number)
{
	return numbers_of(memcg).of[number];
}

struct numbers numbers_of(struct mem_cgroup *memcg)
{
	struct numbers numbers = {.memcg = memcg};

	memcg_drain_stocks(mem_cgroup_root()); /* what is charged and nobody's */
	cr_expect_eq(mem_cgroup_verify(mem_cgroup_root(), NULL), 0);
	read_numbers(memcg, numbers.of);
	return numbers;
}

void expect_changes(const char *file, int line, const struct numbers *before,
		    const struct change *changes, size_t n)
{
	struct numbers after = numbers_of(before->memcg);
	int64_t expected[NR_NUMBERS] = {0};

	for (size_t i = 0; i < n; i++)
		expected[changes[i].number] = changes[i].by;
	expected[ENTRIES] = expected[SWAP];
	for (int i = 0; i < NR_NUMBERS; i++)
		cr_expect_eq(after.of[i] - before->of[i], expected[i],
			     "%s:%d: %s: from %" PRId64 " by %" PRId64 ", not by %" PRId64, file,
			     line, names[i], before->of[i], after.of[i] - before->of[i],
			     expected[i]);
}
