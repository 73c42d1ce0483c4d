/* SPDX-License-Identifier: MIT */
#include "alloc/slab/heap_table.h"

#include "alloc/base/meta.h"
#include "alloc/base/os.h"

#define CHUNK_HEAPS 64

/* A bit for each heap. */
struct heap_chunk {
	uint64_t free;	    /* heaps_lock; read bare to skip them */
	uint64_t fresh;	    /* heaps_lock: of the free ones, not touched since they were purged */
	uint64_t resting;   /* atomic: of the others, see heap_rest() */
	struct heap *heaps; /* const */
	struct heap_chunk *next;      /* const: all_chunks */
	struct heap_chunk *next_free; /* heaps_lock: free_chunks */
};

static struct heap_chunk *all_chunks;  /* heaps_lock to add; read without */
static struct heap_chunk *free_chunks; /* heaps_lock: those with free heaps */

static uint64_t bit_of(const struct heap *heap)
{
	return 1ull << (heap - heap->chunk->heaps);
}

void heap_rest(struct heap *heap)
{
	WRITE_ONCE(heap->left, 0);
	__atomic_fetch_or(&heap->chunk->resting, bit_of(heap), __ATOMIC_RELAXED);
}

void heap_stir(struct heap *heap)
{
	WRITE_ONCE(heap->left, HEAPS_EPOCH);
	__atomic_fetch_and(&heap->chunk->resting, ~bit_of(heap), __ATOMIC_RELAXED);
}

static struct heap_chunk *add_chunk(void)
{
	struct heap_chunk *chunk = meta_alloc(sizeof(*chunk));

	if (!chunk)
		return NULL;
	chunk->heaps = meta_alloc(CHUNK_HEAPS * sizeof(*chunk->heaps));
	if (!chunk->heaps) {
		meta_free(chunk, sizeof(*chunk));
		return NULL;
	}
	chunk->free = ~0ull;
	chunk->fresh = ~0ull;
	chunk->next = all_chunks;
	store_release(&all_chunks, chunk); /* pairs with heap_table_for_each() */
	free_chunks = chunk;
	return chunk;
}

struct heap *heap_table_get(void)
{
	struct heap_chunk *chunk = free_chunks;
	uint64_t used;
	struct heap *heap;
	unsigned int i;

	if (!chunk)
		chunk = add_chunk();
	if (!chunk)
		return NULL;
	used = chunk->free & ~chunk->fresh;
	i = (unsigned int)__builtin_ctzll(used ? used : chunk->free);
	WRITE_ONCE(chunk->free, chunk->free & ~(1ull << i));
	chunk->fresh &= ~(1ull << i);
	if (!chunk->free)
		free_chunks = chunk->next_free;
	heap = &chunk->heaps[i];
	heap->chunk = chunk;
	return heap;
}

void heap_table_put(struct heap *heap)
{
	struct heap_chunk *chunk = heap->chunk;

	if (!chunk->free) {
		chunk->next_free = free_chunks;
		free_chunks = chunk;
	}
	WRITE_ONCE(chunk->free, chunk->free | bit_of(heap));
}

/* The whole pages of the kernel in the memory of heaps @from to @to. */
static void purge_heaps(struct heap_chunk *chunk, unsigned int from, unsigned int to)
{
	const size_t page = os_page_size();
	size_t start = round_up_to((size_t)&chunk->heaps[from], page);
	size_t end = (size_t)&chunk->heaps[to] & ~(page - 1);

	if (end > start)
		os_purge((void *)start, end - start);
}

/* Their tables are not to be lost. */
static uint64_t without_tables(const struct heap_chunk *chunk)
{
	uint64_t none = chunk->free;

	for (uint64_t left = chunk->free & ~chunk->fresh; left; left &= left - 1) {
		unsigned int i = (unsigned int)__builtin_ctzll(left);

		if (chunk->heaps[i].extra_slots)
			none &= ~(1ull << i);
	}
	return none;
}

static void purge_chunk(struct heap_chunk *chunk)
{
	uint64_t free = without_tables(chunk);

	for (unsigned int from = 0, to; from < CHUNK_HEAPS; from = to + 1) {
		uint64_t run = 0;

		for (to = from; to < CHUNK_HEAPS && free >> to & 1; to++)
			run |= 1ull << to;
		if (run & ~chunk->fresh)
			purge_heaps(chunk, from, to);
		chunk->fresh |= run;
	}
}

void heap_table_purge(void)
{
	for (struct heap_chunk *chunk = free_chunks; chunk; chunk = chunk->next_free)
		if (chunk->free & ~chunk->fresh)
			purge_chunk(chunk);
}

static void for_each(struct heap_chunk *chunk, uint64_t heaps,
		     void (*fn)(struct heap *heap, void *arg), void *arg)
{
	for (; heaps; heaps &= heaps - 1)
		fn(&chunk->heaps[__builtin_ctzll(heaps)], arg);
}

void heap_table_for_each(void (*fn)(struct heap *heap, void *arg), void *arg)
{
	struct heap_chunk *chunk = load_acquire(&all_chunks);

	for (; chunk; chunk = chunk->next)
		for_each(chunk, ~READ_ONCE(chunk->free), fn, arg);
}

void heap_table_for_each_stirring(void (*fn)(struct heap *heap, void *arg), void *arg)
{
	struct heap_chunk *chunk = load_acquire(&all_chunks);

	for (; chunk; chunk = chunk->next)
		for_each(chunk, ~(READ_ONCE(chunk->free) | READ_ONCE(chunk->resting)), fn, arg);
}
