/* SPDX-License-Identifier: MIT */
/*
 * From an address to the handle of what lies there.
 *
 * All pages come from one contiguous area, so "is this address ours" is a
 * subtraction and a compare, and the map is a flat array with four bytes for
 * each grain: slabs may be shorter than a page. A handle of 0 means nothing that
 * was handed out.
 */
#ifndef ALLOC_PAGES_PAGE_MAP_H
#define ALLOC_PAGES_PAGE_MAP_H

#include "alloc/base/atomic.h"
#include "alloc/base/os.h"

#define GRAIN_SHIFT 10
#define GRAIN_SIZE  (1ul << GRAIN_SHIFT)

struct page_map {
	char *base;	   /* const after page_runs_init() */
	size_t size;	   /* bytes; grows under page_run_lock */
	uint32_t *handles; /* const after page_runs_init() */
};

extern struct page_map page_map __library_var;

/*
 * Any address will do. Racy by intent: a caller that passes a live object's
 * address got that address after the handle was written.
 */
static __always_inline_fn uint32_t page_map_get(const void *addr)
{
	size_t offset = (size_t)addr - (size_t)page_map.base;

	if (unlikely(offset >= READ_ONCE(page_map.size)))
		return 0;
	return READ_ONCE(page_map.handles[offset >> GRAIN_SHIFT]);
}

/* Two handles in one store; readers look at one of them. */
typedef uint64_t __attribute__((may_alias)) page_map_pair;

/* @addr and @bytes: multiples of GRAIN_SIZE. */
static inline void page_map_set(const void *addr, size_t bytes, uint32_t handle)
{
	uint32_t *slot =
		&page_map.handles[(size_t)((const char *)addr - page_map.base) >> GRAIN_SHIFT];
	const uint32_t *end = slot + (bytes >> GRAIN_SHIFT);
	uint64_t pair = (uint64_t)handle << 32 | handle;

	if ((uintptr_t)slot % sizeof(pair) && slot < end)
		WRITE_ONCE(*slot++, handle);
	for (; slot + 1 < end; slot += 2)
		WRITE_ONCE(*(page_map_pair *)slot, pair);
	if (slot < end)
		WRITE_ONCE(*slot, handle);
}

#endif
