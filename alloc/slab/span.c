/* SPDX-License-Identifier: MIT */
/* The life of a span, from span_alloc() to the last span_put(); span.h has the rest. */
#include "alloc/slab/span.h"

#include <errno.h>
#include <string.h>

#include "accounting/high.h"
#include "accounting/swap.h"
#include "alloc/base/message.h"
#include "alloc/pages/page_run.h"
#include "alloc/slab/fast.h"
#include "alloc/slab/purger.h"
#include "alloc/slab/task.h"

#define KNOWN_FLAGS (__GFP_BITS | SPAN_SWAPPABLE | SPAN_UNCHARGED)

/* ---- Birth ---------------------------------------------------------------- */

static bool is_valid(size_t size, unsigned int flags)
{
	const unsigned int both = SPAN_SWAPPABLE | SPAN_UNCHARGED;

	return size && !(flags & ~KNOWN_FLAGS) && (flags & both) != both;
}

/* As a block of malloc() is made; it is nobody's block yet. */
static struct slab *create(size_t size, unsigned int flags, bool *zeroed)
{
	gfp_t gfp = flags & __GFP_BITS;
	struct obj_stock *stock;
	struct heap *heap;
	struct slab *span;

	if (size > PTRDIFF_MAX || !(heap = task_begin_heap()))
		return NULL;
	stock = flags & SPAN_UNCHARGED ? NULL : &heap->stock;
	span = span_create(stock, gfp, round_up_to(size, os_page_size()) >> PAGE_SHIFT, 0, zeroed);
	task_end_heap(heap);
	purger_start_in_alloc();
	memcg_charge_done(gfp);
	return span;
}

/* From here on others may find it; it loses its pin as the last. */
static void publish(struct slab *span, unsigned int flags)
{
	span->span_flags = (flags & SPAN_SWAPPABLE) >> 16;
	span->pinner = span_pinner();
	list_init(&span->lru);
	WRITE_ONCE(span->unpinned, span_stamp());
	store_release(&span->kind, SLAB_SPAN_HELD); /* pairs with slab_for_each() */
	span_lru_add(span);
	__atomic_sub_fetch(&span->state, SPAN_PIN, __ATOMIC_RELEASE);
}

struct span *span_alloc(size_t size, unsigned int flags)
{
	struct slab *span;
	bool zeroed;

	if (!is_valid(size, flags)) {
		errno = EINVAL;
		return NULL;
	}
	span = create(size, flags, &zeroed);
	if (!span)
		return slab_alloc_refused();
	if (flags & __GFP_ZERO && !zeroed)
		memset(span->start, 0, slab_bytes(span));
	else
		debug_alloc(span->start, 0); /* as kmalloc_large() */
	if (flags & SPAN_SWAPPABLE)
		span_clock_advance();
	publish(span, flags);
	return slab_span(span);
}

/* ---- References and death ------------------------------------------------- */

void span_get(struct span *s)
{
	struct slab *span = span_slab(s);

	debug_killed_pointer(span, s, "span_get");
	if (atomic_add(&span->refs, 1) == 1)
		die("span_get(): nobody has span %p", (void *)s);
}

__attribute__((noreturn, cold)) static void no_reference(const struct slab *span)
{
	die("span_put(): %p is no span, or had no reference left", (const void *)span);
}

/* There may be pins of threads that are not there any more. */
static bool forked;

void spans_fork_child(void)
{
	forked = true;
}

void span_uncharge_packed(struct slab *span)
{
	int64_t bytes = (int64_t)span->packed << PAGE_SHIFT;

	if (!bytes)
		return;
	WRITE_ONCE(span->packed, 0);
	__obj_cgroup_uncharge_span(span->objcg, bytes);
	__obj_cgroup_uncharge_zswap(span->objcg, bytes, (int64_t)slab_bytes(span));
}

/* The end of one that is out: its room was charged as long as it had it. */
static void release_swap(struct slab *span)
{
	struct obj_cgroup *objcg = span->objcg;
	struct swap_entry *entry = span->swap;

	counters_own();
	rcu_take_in_thread();
	lock(objcg_lock(objcg));
	span->swap = NULL;
	__obj_cgroup_uncharge_swap(objcg, (int64_t)slab_bytes(span));
	span_uncharge_packed(span);
	unlock(objcg_lock(objcg));
	span_ops.drop_swap(entry, 0);
}

/* Nobody else has it, but a walk that finds it on its list, and lets it go at once. */
static void release(struct slab *span)
{
	uint8_t kind = SLAB_SPAN_HELD;

	if (unlikely(span_is_pinned(span)) && !forked)
		die("span_put(): span %p is pinned, and this was its last reference", (void *)span);
	if (!cmpxchg_acq_rel(&span->kind, &kind, SLAB_SPAN_FREED))
		no_reference(span);
	span_lru_del(span);
	if (span->swap)
		release_swap(span);
	span_destroy(span);
	purger_start_in_free();
}

void span_put(struct span *s)
{
	struct slab *span = span_slab(s);
	int saved_errno = errno;
	int32_t left;

	if (!span)
		return;
	debug_killed_pointer(span, s, "span_put");
	/* Release and acquire: the last one sees all that was done to it. */
	left = (int32_t)atomic_sub_acq_rel(&span->refs, 1);
	if (left > 0)
		return;
	if (left < 0)
		no_reference(span);
	release(span);
	errno = saved_errno;
}

bool span_free_shared(struct slab *span)
{
	uint8_t kind = SLAB_SPAN;

	if (!cmpxchg_acq_rel(&span->kind, &kind, SLAB_SPAN_HELD))
		return false;
	span_unpin(slab_span(span)); /* the block's */
	span_put(slab_span(span));
	return true;
}

/* ---- What is known of one ------------------------------------------------- */

size_t span_size(const struct span *span)
{
	return slab_bytes(span_slab(span));
}

struct mem_cgroup *span_memcg(struct span *span)
{
	/* Pairs with add_span(), as the span may be given to another group. */
	struct obj_cgroup *objcg = load_acquire(&span_slab(span)->objcg);

	return objcg ? obj_cgroup_memcg(objcg) : NULL;
}

struct obj_cgroup *span_get_objcg(const struct slab *span)
{
	struct obj_cgroup *objcg;

	rcu_read_lock();
	do {
		objcg = load_acquire(&span->objcg); /* pairs with add_span() */
	} while (objcg && !obj_cgroup_tryget(objcg));
	rcu_read_unlock();
	return objcg;
}

struct span *virt_to_span(const void *block)
{
	struct slab *slab = slab_of(block);
	uint8_t kind = load_acquire(&slab->kind);

	if (kind != SLAB_SPAN && (kind != SLAB_SPAN_HELD || !span_is_pinned(slab)))
		return NULL;
	return slab->start == block ? slab_span(slab) : NULL;
}

/* ---- The run -------------------------------------------------------------- */

int span_run_get(struct slab *span, bool *zeroed)
{
	size_t npages = span_pages(span);
	char *start = page_run_alloc(npages, 0, zeroed);

	if (!start)
		return -ENOMEM;
	span->start = start;
	span->capacity = (uint32_t)npages;
	span->moved = false;
	span->moved_at = 0;
	return 0;
}

void span_run_map(struct slab *span)
{
	/* Only the first page: pointers into a span are not its own. */
	page_map_set(span->start, PAGE_SIZE, (uint32_t)(span - slab_table));
}

void span_run_put(struct slab *span)
{
	char *start = span->start;

	page_map_set(start, PAGE_SIZE, 0);
	span->start = NULL;
	if (span->moved)
		page_run_free_moved(start, span->capacity);
	else
		page_run_free(start, span->capacity);
}
