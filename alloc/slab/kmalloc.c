/* SPDX-License-Identifier: MIT */
#include "alloc/slab/kmalloc.h"

#include <errno.h>
#include <string.h>

#include "accounting/high.h"
#include "alloc/base/message.h"
#include "alloc/pages/page_run.h"
#include "alloc/slab/fast.h"
#include "alloc/slab/purger.h"
#include "alloc/slab/span.h"
#include "alloc/slab/task.h"

/* A shrinking span gives its tail back if that is more than a quarter. */
#define TRIM_SHIFT 2

static size_t pages_for(size_t size)
{
	return round_up_to(size, os_page_size()) >> PAGE_SHIFT;
}

void *kmalloc_large(size_t size, size_t align, gfp_t gfp, bool *zeroed)
{
	struct heap *heap;
	struct slab *span;
	bool is_zero;

	if (size > PTRDIFF_MAX || !(heap = task_begin_heap()))
		return slab_alloc_refused();
	span = span_create(&heap->stock, gfp, pages_for(size), align, &is_zero);
	task_end_heap(heap);
	purger_start_in_alloc();
	memcg_charge_done(gfp);
	if (!span)
		return slab_alloc_refused();
	debug_alloc(span->start, 0); /* what is left there may be copied to an object */
	if (zeroed)
		*zeroed = is_zero;
	return span->start;
}

void *kmalloc_zeroed(size_t size, gfp_t gfp)
{
	bool zeroed = false;
	void *block;

	if (unlikely(size > KMALLOC_MAX_CACHE_SIZE))
		block = kmalloc_large(size, 0, gfp, &zeroed);
	else
		block = kmalloc_fast(size, gfp);
	if (block && !zeroed)
		memset(block, 0, size);
	return block;
}

void *kmalloc_aligned(size_t align, size_t size, gfp_t gfp)
{
	if (size > PTRDIFF_MAX || align > PTRDIFF_MAX)
		return slab_alloc_refused();
	/* A class that is a multiple of the alignment has aligned objects. */
	if (align <= PAGE_SIZE &&
	    round_up_to(max_t(size_t, size, 1), align) <= KMALLOC_MAX_CACHE_SIZE)
		return kmalloc_fast(round_up_to(max_t(size_t, size, 1), align), gfp);
	return kmalloc_large(max_t(size_t, size, 1), align, gfp, NULL);
}

/* ---- Size of a block ------------------------------------------------------ */

struct slab *live_slab(const void *block, const char *caller)
{
	struct slab *slab = slab_of(block);

	switch (READ_ONCE(slab->kind)) {
	case SLAB_OBJECTS:
		if (likely(slab_has_object(slab, block)))
			return slab;
		break;
	case SLAB_SPAN:
		if (likely(block == slab->start))
			return slab;
		break;
	}
	debug_killed_pointer(slab, block, caller);
	die("%s(): invalid pointer %p", caller, block);
}

static size_t slab_block_size(const struct slab *slab)
{
	if (slab->kind == SLAB_SPAN)
		return slab_bytes(slab);
	/* What lies behind an object of a user's cache is not his to use. */
	return slab->cache->offset || slab->cache->track ? slab->cache->object_size : slab->size;
}

size_t kmalloc_usable_size(const void *block, const char *caller)
{
	return block ? slab_block_size(live_slab(block, caller)) : 0;
}

/* ---- realloc -------------------------------------------------------------- */

/*
 * A block that has to move for its growth will grow again, so it gets a quarter
 * more, if the stock has that: no limit is met for what was not asked for.
 */
static size_t size_to_grow(size_t old, size_t size)
{
	const struct obj_stock *stock = &current_heap->stock;
	size_t more = min_t(size_t, old + old / 4, KMALLOC_MAX_CACHE_SIZE);

	if (size <= old || size >= more)
		return size;
	if (!ACCOUNTING)
		return more;
	return READ_ONCE(stock->used) + (int64_t)more * 2 <= READ_ONCE(stock->limit) ? more : size;
}

/* To a block of its own; a smaller size that is refused stays where it is. */
static noinline void *realloc_copy(void *block, size_t old, size_t size, gfp_t gfp,
				   const char *caller)
{
	int saved_errno = errno;
	void *new = kmalloc_fast(size_to_grow(old, size), gfp);

	if (!new &&size <= old) {
		errno = saved_errno;
		return block;
	}
	if (!new)
		return NULL;
	memcpy(new, block, min_t(size_t, old, size));
	kfree_fast(block, caller);
	return new;
}

/* Whether a span may keep its length for a smaller size. */
static bool is_close(const struct slab *span, size_t npages)
{
	size_t has = span_pages(span);

	return npages <= has && has - npages <= has >> TRIM_SHIFT;
}

static noinline void *resize_span(struct slab *span, size_t size, gfp_t gfp, const char *caller)
{
	void *moved;

	if (size > PTRDIFF_MAX)
		return slab_alloc_refused();
	/* Where others have it, too, it stays as it is. */
	if (size <= KMALLOC_MAX_CACHE_SIZE || unlikely(!span_is_private(span)))
		return realloc_copy(span->start, slab_bytes(span), size, gfp, caller);
	if (is_close(span, pages_for(size)))
		return span->start;
	moved = span_resize(span, gfp, pages_for(size));
	memcg_charge_done(gfp);
	return moved ? moved : slab_alloc_refused();
}

void *kmalloc_resize(void *block, size_t size, gfp_t gfp, const char *caller)
{
	struct slab *slab = slab_of(block);
	size_t old;

	if (unlikely(READ_ONCE(slab->kind) != SLAB_OBJECTS || !slab_has_object(slab, block)))
		return resize_span(live_slab(block, caller), size, gfp, caller);
	old = slab_block_size(slab);
	if (size <= old && (size > old / 2 || old <= KMALLOC_MIN_SIZE))
		return block;
	if (size > PTRDIFF_MAX)
		return slab_alloc_refused();
	return realloc_copy(block, old, size, gfp, caller);
}

/* ---- The API -------------------------------------------------------------- */

void *kmalloc(size_t size, gfp_t gfp)
{
	if (unlikely(gfp & __GFP_ZERO))
		return kmalloc_zeroed(size, gfp);
	return kmalloc_fast(size, gfp);
}

void *kzalloc(size_t size, gfp_t gfp)
{
	return kmalloc_zeroed(size, gfp);
}

void *krealloc(void *block, size_t size, gfp_t gfp)
{
	size_t old;
	void *new;

	if (!block)
		return kmalloc(size, gfp);
	if (!size) {
		kfree(block);
		return NULL;
	}
	old = ksize(block);
	new = kmalloc_resize(block, size, gfp, "krealloc");
	if (new && (gfp & __GFP_ZERO) && size > old)
		memset((char *)new + old, 0, size - old);
	return new;
}

void kfree(const void *block)
{
	kfree_fast((void *)block, "kfree");
}

struct mem_cgroup *mem_cgroup_from_obj(const void *ptr)
{
	const struct slab *slab = slab_of(ptr);
	struct obj_cgroup *objcg;

	switch (load_acquire(&slab->kind)) {
	case SLAB_OBJECTS:
	case SLAB_SPAN:
	case SLAB_SPAN_HELD:
		objcg = READ_ONCE(slab->objcg);
		return objcg ? obj_cgroup_memcg(objcg) : NULL;
	}
	return NULL;
}

size_t ksize(const void *block)
{
	return kmalloc_usable_size(block, "ksize");
}

static bool rcu_frees; /* kfree_rcu() was used; set once */

/* The block is found again from its head, which lies in it. */
static void free_by_head(struct rcu_head *head)
{
	struct slab *slab = slab_of(head);

	if (slab->kind == SLAB_SPAN)
		kfree(slab->start);
	else
		kfree(slab_object(slab, slab_index(slab, head)));
}

void kvfree_call_rcu(struct rcu_head *head, void *block)
{
	if (slab_of(head) != live_slab(block, "kfree_rcu"))
		die("kfree_rcu(): head %p is not in the first page of block %p", (void *)head,
		    block);
	WRITE_ONCE(rcu_frees, true);
	call_rcu(head, free_by_head);
}

void kvfree_rcu_barrier(void)
{
	/* The barrier costs a grace period, and most programs never need it. */
	if (READ_ONCE(rcu_frees))
		rcu_barrier();
}
