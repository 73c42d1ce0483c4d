/* SPDX-License-Identifier: MIT */
#include "alloc/slab/debug.h"

#ifdef CGSLAB_DEBUG

#include "alloc/base/message.h"

/*
 * The second word of a free object, behind its link. Objects with a
 * constructor keep what they have there.
 */
#define FREE_MARK 0x6673656265666663ull

static uint64_t *mark_of(void *object)
{
	return (uint64_t *)object + 1;
}

static uint64_t mark_for(const void *object)
{
	return FREE_MARK ^ (uint64_t)(uintptr_t)object;
}

void debug_free(const struct slab *slab, void *object, const char *caller)
{
	if (!slab_has_object(slab, object))
		die("%s(): invalid pointer %p, inside an object", caller, object);
	if (slab->cache->offset)
		return;
	if (*mark_of(object) == mark_for(object))
		die("%s(): double free of %p", caller, object);
	*mark_of(object) = mark_for(object);
}

void debug_alloc(void *object, unsigned int offset)
{
	if (!offset)
		*mark_of(object) = 0;
}

static void validate_slab(struct heap *heap, struct slab *slab, void *arg)
{
	uint32_t free = 0;

	(void)arg;
	if (heap_of_slab(slab) != heap || slab->objcg != heap->stock.objcg)
		die("slab %p is in the wrong heap", (void *)slab);
	for (void *object = slab->free; object; object = object_next(object, slab->cache->offset)) {
		if (!slab_has_object(slab, object) || ++free > slab->carved)
			die("slab %p of %s: bad free list", (void *)slab, slab->cache->name);
	}
	if (slab->carved > slab->nr || slab_used(slab) + free != slab->carved)
		die("slab %p of %s: %u used, %u free, %u carved of %u", (void *)slab,
		    slab->cache->name, slab_used(slab), free, slab->carved, slab->nr);
}

void debug_validate_heap(struct heap *heap)
{
	heap_for_each_slab(heap, validate_slab, NULL);
}

#else

/* ISO C wants a declaration in every file. */
typedef int debug_is_off;

#endif
