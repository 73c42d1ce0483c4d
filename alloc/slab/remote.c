/* SPDX-License-Identifier: MIT */
#include "alloc/slab/remote.h"

#include "alloc/base/message.h"
#include "alloc/slab/heap.h"

/*
 * The word: bits 0-31 the first object's offset in units of 16 bytes, plus 1
 * (0: none); bits 32-62 the count; bit 63 ownerless.
 */
#define REMOTE_OWNERLESS   (1ull << 63)
#define REMOTE_COUNT_SHIFT 32
#define REMOTE_ONE	   (1ull << REMOTE_COUNT_SHIFT)

static uint32_t word_count(uint64_t word)
{
	return (uint32_t)((word & ~REMOTE_OWNERLESS) >> REMOTE_COUNT_SHIFT);
}

static void *word_first(const struct slab *slab, uint64_t word)
{
	uint32_t offset = (uint32_t)word;

	return offset ? slab->start + (size_t)(offset - 1) * 16 : NULL;
}

static uint64_t word_push(const struct slab *slab, uint64_t word, const void *object)
{
	uint64_t offset = (uint64_t)((const char *)object - slab->start) / 16;

	return ((word & ~0xffffffffull) + REMOTE_ONE) | (offset + 1);
}

/* One live object less in an ownerless slab; the last destroys it. */
static void ownerless_free(struct slab *slab, uint64_t word)
{
	debug_assert(word_count(word) > 0);
	/*
	 * Acquire as well: whoever destroys the slab does so after all that
	 * others did to its objects.
	 */
	word = atomic_sub_acq_rel(&slab->remote, REMOTE_ONE);
	if (word_count(word) == 0)
		slab_destroy_ownerless(slab);
}

/* How many objects are used: exact only while no owner is at work. */
static __racy_fn uint32_t used_guess(const struct slab *slab)
{
	return READ_ONCE(slab->countdown) + READ_ONCE(slab->reserve);
}

/* Returns the heap that may have to be collected for if it is parked, or NULL. */
static struct heap *push(struct slab *slab, void *object)
{
	unsigned int offset = slab->cache->offset;
	uint64_t word = READ_ONCE(slab->remote);
	struct heap *heap;
	uint64_t new;
	bool emptied;

	do {
		if (word & REMOTE_OWNERLESS) { /* and so it stays */
			ownerless_free(slab, word);
			return NULL;
		}
		heap = heap_of_slab(slab);
		emptied = word_count(word) + 1 == used_guess(slab);
		object_set_next(object, offset, word_first(slab, word));
		new = word_push(slab, word, object);
	} while (!cmpxchg_acq_rel(&slab->remote, &word, new));

	/*
	 * From here on only who made the list may look at the slab. Acquire
	 * pairs with remote_collect(), which has read the old tail.
	 */
	if (word_count(word) == 0) {
		slab->remote_tail = object;
		heap_push_remote(heap, slab);
	}
	return emptied ? heap : NULL;
}

void remote_free(struct slab *slab, void *object)
{
	struct heap *heap = push(slab, object);

	/* The heap may have another group by now; that does no harm. */
	if (heap)
		heap_collect_parked(heap);
}

void remote_push(struct slab *slab, void *object)
{
	push(slab, object);
}

bool remote_is_all(const struct slab *slab)
{
	return word_count(load_acquire(&slab->remote)) == slab->nr; /* pairs with push() */
}

uint32_t remote_collect(struct slab *slab)
{
	/* Before the exchange: after it the next free may set it anew. */
	void *tail = slab->remote_tail;
	uint64_t word;

	/* Pairs with remote_free(), both ways. */
	word = __atomic_exchange_n(&slab->remote, 0, __ATOMIC_ACQ_REL);
	object_set_next(tail, slab->cache->offset, slab->free);
	slab->free = word_first(slab, word);
	return word_count(word);
}

bool remote_disown(struct slab *slab)
{
	uint64_t empty = 0;
	/* One more than live, so that it stays until owner is cleared. */
	uint64_t word = REMOTE_OWNERLESS | ((uint64_t)slab_used(slab) + 1) << REMOTE_COUNT_SHIFT;

	obj_cgroup_get(slab->objcg); /* the slab's, now that the heap lets go */
	if (!cmpxchg_release(&slab->remote, &empty, word)) {
		obj_cgroup_put(slab->objcg);
		return false;
	}
	WRITE_ONCE(slab->owner, 0);
	obj_cgroup_add_slab(slab->objcg, &slab->node);
	ownerless_free(slab, word);
	return true;
}

uint32_t remote_count(const struct slab *slab)
{
	return word_count(READ_ONCE(slab->remote));
}

bool remote_is_ownerless(const struct slab *slab)
{
	return READ_ONCE(slab->remote) & REMOTE_OWNERLESS;
}

void *remote_first(const struct slab *slab)
{
	return word_first(slab, load_acquire(&slab->remote));
}
