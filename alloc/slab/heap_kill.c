/* SPDX-License-Identifier: MIT */
/*
 * A heap whose objects all go at once. What is live in it is known from the
 * counts of its slabs and freelists; no object is looked at.
 */
#include <string.h>

#include "alloc/base/meta.h"
#include "alloc/slab/heap_slabs.h"
#include "alloc/slab/kill.h"

struct toll {
	struct doomed *doomed;
	int64_t bytes; /* live */
	int64_t slab_bytes;
};

static void kill_slab(struct heap *heap, struct slab *slab, void *arg)
{
	struct toll *toll = arg;

	hlist_del_init(&slab->node);
	toll->bytes += (int64_t)slab_count_out(slab) * slab->size;
	toll->slab_bytes += (int64_t)slab_bytes(slab);
	slab->countdown = 0;
	slab->reserve = 0;
	heap_note_objects(heap, slab);
	obj_cgroup_get(slab->objcg); /* the slab's, now that the heap lets go */
	doom_slab(toll->doomed, slab);
}

/* What waits on freelists is not live. */
static void kill_slots(struct toll *toll, struct heap_slot *slots, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		toll->bytes -= (int64_t)heap_slot_waiting(&slots[i]) * slots[i].size;
	if (n)
		memset(slots, 0, n * sizeof(*slots));
}

static void free_sheaves(struct sheaf *sheaf)
{
	while (sheaf) {
		struct sheaf *next = sheaf->next;

		meta_free(sheaf, sizeof(*sheaf));
		sheaf = next;
	}
}

/* Neither is what was freed and is on its way from or to the heap. */
static void kill_away(struct heap *heap, struct toll *toll)
{
	int64_t objects, bytes;

	heap_count_away(heap, &objects, &bytes);
	toll->bytes -= bytes;
	for (int i = 0; i < HEAP_AWAY; i++) {
		if (heap->away[i].heap)
			meta_free(heap->away[i].sheaf, sizeof(struct sheaf));
		heap->away[i] = (struct heap_away){0};
	}
	free_sheaves(heap->incoming);
	WRITE_ONCE(heap->incoming, NULL);
	WRITE_ONCE(heap->incoming_objects, 0);
	WRITE_ONCE(heap->incoming_bytes, 0);
}

void heap_kill(struct heap *heap, struct doomed *doomed)
{
	struct toll toll = {.doomed = doomed};

	if (unlikely(heap->torn))
		heap_recover(heap);
	lock(&heap->lock);
	heap_for_each_slab(heap, kill_slab, &toll);
	WRITE_ONCE(heap->remote_slabs, NULL);
	kill_away(heap, &toll);
	kill_slots(&toll, heap->slots, SIZE_CLASSES);
	kill_slots(&toll, heap->extra_slots, heap->nr_extra);
	heap->empty_bytes = 0;
	unlock(&heap->lock);
	/* What this leaves in the stock goes with it, in memcg_release_heaps(). */
	obj_stock_credit(&heap->stock, (size_t)toll.bytes);
	obj_stock_account_slab(&heap->stock, -toll.slab_bytes);
}
