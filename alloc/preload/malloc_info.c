/* SPDX-License-Identifier: MIT */
/* The functions of <malloc.h> that report or tune. */
#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

#include "alloc/base/meta.h"
#include "alloc/base/os.h"
#include "alloc/pages/page_run.h"
#include "alloc/slab/heap.h"
#include "alloc/slab/task.h"

#define EXPORT __attribute__((visibility("default")))

struct totals {
	size_t mapped, free, live, objects, metadata;
};

static void get_totals(struct totals *totals)
{
	struct mem_cgroup_stat stat = {.size = sizeof(stat)};
	struct page_run_stats pages;

	slab_init();
	page_runs_stats(&pages);
	mem_cgroup_stat(&root_memcg, &stat);
	totals->mapped = pages.mapped << PAGE_SHIFT;
	totals->live = stat.object_bytes + stat.span_bytes;
	totals->free = totals->mapped > totals->live ? totals->mapped - totals->live : 0;
	totals->objects = stat.objects;
	totals->metadata = meta_committed();
}

EXPORT int malloc_trim(size_t pad)
{
	int saved_errno = errno;
	size_t purged;

	(void)pad;
	slab_init();
	heaps_shrink();
	purged = page_runs_purge();
	errno = saved_errno;
	return purged > 0;
}

EXPORT struct mallinfo2 mallinfo2(void)
{
	struct mallinfo2 info = {0};
	struct totals totals;

	get_totals(&totals);
	info.arena = totals.mapped;
	info.uordblks = totals.live;
	info.fordblks = totals.free;
	info.ordblks = 1;
	return info;
}

/* The old struct has ints; what does not fit is the largest int. */
static int to_int(size_t n)
{
	return n > INT32_MAX ? INT32_MAX : (int)n;
}

EXPORT struct mallinfo mallinfo(void)
{
	struct mallinfo2 wide = mallinfo2();
	struct mallinfo info = {0};

	info.arena = to_int(wide.arena);
	info.uordblks = to_int(wide.uordblks);
	info.fordblks = to_int(wide.fordblks);
	info.ordblks = 1;
	return info;
}

EXPORT int malloc_info(int options, FILE *stream)
{
	struct totals totals;

	if (options) {
		errno = EINVAL;
		return -1;
	}
	get_totals(&totals);
	return fprintf(stream,
		       "<malloc version=\"cgslab-1\">\n"
		       "<system type=\"current\" size=\"%zu\"/>\n"
		       "<total type=\"live\" count=\"%zu\" size=\"%zu\"/>\n"
		       "<total type=\"free\" size=\"%zu\"/>\n"
		       "<total type=\"metadata\" size=\"%zu\"/>\n"
		       "</malloc>\n",
		       totals.mapped, totals.objects, totals.live, totals.free, totals.metadata) < 0
		       ? -1
		       : 0;
}

EXPORT void malloc_stats(void)
{
	struct totals totals;

	get_totals(&totals);
	dprintf(STDERR_FILENO, "mapped %zu live %zu free %zu objects %zu metadata %zu\n",
		totals.mapped, totals.live, totals.free, totals.objects, totals.metadata);
}

/* Every parameter is glibc's own; they are taken and have no effect. */
EXPORT int mallopt(int param, int value)
{
	(void)param;
	(void)value;
	return 1;
}
