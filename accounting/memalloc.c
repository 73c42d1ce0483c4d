/* SPDX-License-Identifier: MIT */
#include "accounting/memalloc.h"

__thread struct memalloc memalloc;

/* ---- Scopes --------------------------------------------------------------- */

static unsigned int set_flag(unsigned int flag)
{
	unsigned int old = memalloc.flags & flag;

	memalloc.flags |= flag;
	return old;
}

static void restore_flag(unsigned int flag, unsigned int old)
{
	memalloc.flags = (memalloc.flags & ~flag) | (old & flag);
}

unsigned int memalloc_noreclaim_save(void)
{
	return set_flag(MEMALLOC_NORECLAIM);
}

void memalloc_noreclaim_restore(unsigned int flags)
{
	restore_flag(MEMALLOC_NORECLAIM, flags);
}

unsigned int memalloc_nofs_save(void)
{
	return set_flag(MEMALLOC_NOFS);
}

void memalloc_nofs_restore(unsigned int flags)
{
	restore_flag(MEMALLOC_NOFS, flags);
}

size_t memalloc_overcharge_save(size_t bytes)
{
	size_t old = (size_t)memalloc.overcharge;

	memalloc.overcharge = (int64_t)min_t(size_t, bytes, INT64_MAX);
	return old;
}

void memalloc_overcharge_restore(size_t left)
{
	memalloc.overcharge = (int64_t)left;
}

gfp_t memalloc_gfp(gfp_t gfp)
{
	if (memalloc.flags & MEMALLOC_NORECLAIM)
		gfp &= ~(__GFP_DIRECT_RECLAIM | __GFP_FS);
	if (memalloc.flags & MEMALLOC_NOFS)
		gfp &= ~__GFP_FS;
	return gfp;
}

/* ---- memory.high ----------------------------------------------------------- */

/* Called from the highest such group to the lowest. */
void memalloc_note_high(struct mem_cgroup *memcg, int64_t pages)
{
	if (memcg == &root_memcg) {
		memalloc.machine_high = true;
		return;
	}
	memalloc.high_id = memcg->id;
	memalloc.high_pages = pages;
}
