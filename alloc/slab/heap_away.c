/* SPDX-License-Identifier: MIT */
/*
 * Frees of objects that another heap of the same group owns.
 *
 *   the heap that frees                        the heap that owns
 *   -------------------                        ------------------
 *   away[]: a sheaf for each   --pass on-->    incoming --collect--> freelists,
 *   of some heaps                                                    slabs
 *
 * A sheaf is passed on when it is full, and before its heap lets go or looks
 * for memory itself. Objects lie in it as in an array: neither side touches
 * their memory, so their cache lines are not fetched for the free.
 *
 * Both steps are done under the lock of the heap that does them: a fork finds
 * each sheaf at one place. Heaps of one group are closed all or none, and have
 * passed on what they had before any of their slabs loses its owner. So slabs
 * need no word of their own about this.
 */
#include <errno.h>

#include "alloc/base/meta.h"
#include "alloc/slab/heap_slabs.h"
#include "alloc/slab/remote.h"

static void push_incoming(struct heap *heap, struct sheaf *sheaf)
{
	struct sheaf *head = READ_ONCE(heap->incoming);

	atomic_add(&heap->incoming_objects, sheaf->nr);
	atomic_add(&heap->incoming_bytes, sheaf->bytes);
	do {
		sheaf->next = head;
	} while (!cmpxchg_seq_cst(&heap->incoming, &head, sheaf));
}

void heap_pass_on_one(struct heap *heap, struct heap_away *away)
{
	struct heap *to = away->heap;
	int saved_errno = errno;

	lock(&heap->lock);
	push_incoming(to, away->sheaf);
	away->heap = NULL;
	away->sheaf = NULL;
	unlock(&heap->lock);
	/* Nobody may come to collect it. Not under our lock: this takes the other's. */
	heap_collect_parked(to);
	errno = saved_errno;
}

void heap_pass_on_all(struct heap *heap)
{
	for (int i = 0; i < HEAP_AWAY; i++)
		if (heap->away[i].heap)
			heap_pass_on_one(heap, &heap->away[i]);
}

bool heap_begin_away(struct heap *heap, struct heap *to)
{
	struct heap_away *away = heap_away_for(heap, to);
	struct sheaf *sheaf = meta_alloc(sizeof(*sheaf));

	if (!sheaf)
		return false;
	if (away->heap)
		heap_pass_on_one(heap, away);
	away->sheaf = sheaf;
	store_release(&away->heap, to); /* a fork may come in between */
	return true;
}

static void take_back(struct heap *heap, uint64_t entry)
{
	heap_take_back(heap, sheaf_slot(heap, entry), sheaf_object(entry));
}

static void redirect(struct heap *heap, uint64_t entry)
{
	(void)heap;
	remote_push(slab_of(sheaf_object(entry)), sheaf_object(entry));
}

/* heap->lock. */
static __always_inline_fn void for_each_incoming(struct heap *heap,
						 void (*fn)(struct heap *heap, uint64_t entry))
{
	struct sheaf *sheaf, *next;

	if (!READ_ONCE(heap->incoming))
		return;
	/* Pairs with the swap in push_incoming(). */
	sheaf = __atomic_exchange_n(&heap->incoming, NULL, __ATOMIC_ACQUIRE);
	for (; sheaf; sheaf = next) {
		next = sheaf->next;
		for (uint32_t i = 0; i < sheaf->nr; i++)
			fn(heap, sheaf->objects[i]);
		atomic_sub(&heap->incoming_objects, sheaf->nr);
		atomic_sub(&heap->incoming_bytes, sheaf->bytes);
		meta_free(sheaf, sizeof(*sheaf));
	}
}

void heap_collect_incoming(struct heap *heap)
{
	for_each_incoming(heap, take_back);
}

void heap_redirect_incoming(struct heap *heap)
{
	for_each_incoming(heap, redirect);
}

__racy_fn void heap_count_away(const struct heap *heap, int64_t *objects, int64_t *bytes)
{
	*objects = READ_ONCE(heap->incoming_objects);
	*bytes = READ_ONCE(heap->incoming_bytes);
	for (int i = 0; i < HEAP_AWAY; i++) {
		const struct sheaf *sheaf = READ_ONCE(heap->away[i].sheaf);

		if (sheaf) {
			*objects += READ_ONCE(sheaf->nr);
			*bytes += READ_ONCE(sheaf->bytes);
		}
	}
}

void heap_recover_away(struct heap *heap)
{
	for (int i = 0; i < HEAP_AWAY; i++) {
		struct sheaf *sheaf = heap->away[i].sheaf;

		if (!sheaf)
			continue;
		sheaf->bytes = 0;
		for (uint32_t n = 0; n < sheaf->nr; n++)
			sheaf->bytes += slab_of(sheaf_object(sheaf->objects[n]))->size;
	}
}
