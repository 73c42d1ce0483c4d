/* SPDX-License-Identifier: MIT */
#include "alloc/base/meta.h"

#include <string.h>

#include "alloc/base/lock.h"
#include "alloc/base/os.h"

#define META_RESERVE (64ul << 30)
#define META_LEAST   (64ul << 20)
#define META_STEP    (64ul << 10)

/* Up to this size freed memory is kept in lists 16 bytes apart. */
#define META_LISTED 4096
#define META_LISTS  (META_LISTED / 16 + 1)

static struct lock meta_lock = LOCK_INIT(LOCK_RANK_META);

/* All below: meta_lock. */
static struct os_area area;
static size_t area_used;
static void *free_lists[META_LISTS];
static size_t bytes_used; /* of what is handed out */

static size_t meta_round(size_t size)
{
	return round_up_to(size, size < CACHELINE ? 16 : CACHELINE);
}

static void *meta_carve(size_t size)
{
	size_t align = size < CACHELINE ? 16 : CACHELINE;
	size_t at = round_up_to(area_used, align);

	if (!area.base && os_area_init(&area, META_RESERVE, META_LEAST))
		return NULL;
	if (at + size > area.committed && os_area_commit(&area, round_up_to(at + size, META_STEP)))
		return NULL;
	area_used = at + size;
	return area.base + at;
}

void *meta_alloc(size_t size)
{
	void **head, *ptr;

	size = meta_round(size);
	head = size <= META_LISTED ? &free_lists[size / 16] : NULL;
	lock(&meta_lock);
	if (head && *head) {
		ptr = *head;
		*head = *(void **)ptr;
		memset(ptr, 0, size);
	} else {
		ptr = meta_carve(size);
	}
	if (ptr)
		WRITE_ONCE(bytes_used, bytes_used + size);
	unlock(&meta_lock);
	return ptr;
}

void meta_free(void *ptr, size_t size)
{
	if (!ptr)
		return;
	size = meta_round(size);
	lock(&meta_lock);
	WRITE_ONCE(bytes_used, bytes_used - size);
	/* Others are tables that doubled, bounded by the last one: they are left. */
	if (size <= META_LISTED) {
		*(void **)ptr = free_lists[size / 16];
		free_lists[size / 16] = ptr;
	}
	unlock(&meta_lock);
}

size_t meta_committed(void)
{
	return READ_ONCE(area.committed);
}

size_t meta_used(void)
{
	return READ_ONCE(bytes_used);
}

void meta_release_reserve(void)
{
	lock(&meta_lock);
	os_area_release(&area);
	unlock(&meta_lock);
}

void meta_fork_prepare(void)
{
	lock(&meta_lock);
}

void meta_fork_done(void)
{
	unlock(&meta_lock);
}
