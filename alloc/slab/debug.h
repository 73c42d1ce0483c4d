/* SPDX-License-Identifier: MIT */
/*
 * Checks of a debug build: frees of what is no object, double frees of
 * objects, the books of a heap, who allocated what a cache has in use, and uses
 * of what was killed with its group. In other builds all of this is nothing.
 */
#ifndef ALLOC_SLAB_DEBUG_H
#define ALLOC_SLAB_DEBUG_H

#include "alloc/slab/heap.h"

#ifdef CGSLAB_DEBUG

/* Before an object is put on a list; dies if it is none, or free already. */
void debug_free(const struct slab *slab, void *object, const char *caller);

/* Before an object is handed out. */
void debug_alloc(void *object, unsigned int offset);

/* Dies if what a slab counts is not what it has. heap->lock, owner. */
void debug_validate_heap(struct heap *heap);

/* Makes room behind an object of @size bytes for who allocated it; its new size. */
uint32_t debug_lay_out(struct kmem_cache *cache, uint32_t size);

/* Objects that were cut from @slab, and are free. */
void debug_carved(const struct slab *slab, void *first, uint32_t nr);

/* @object, which may be NULL, is handed out to the code at @caller. */
void debug_track(const struct kmem_cache *cache, void *object, const void *caller);

/*
 * A slab or span that is killed: notes whose it was. cgroup_lock, as the group is
 * not offline yet.
 */
void debug_note_killed(struct slab *slab);

/*
 * Its memory is to be given back: but it is kept out of reach for some time, if it
 * is not too long, and what was kept the longest goes. No lock is held.
 */
void debug_keep_killed(struct slab *slab);

/* Dies if @object lies in such a one. */
void debug_killed_pointer(const struct slab *slab, const void *object, const char *caller);

/* Gives back all that is kept. */
void debug_forget_killed(void);

/* Who has how many objects of a cache. */
#define DEBUG_SITES 64

struct debug_sites {
	struct debug_site {
		const void *caller;
		uint64_t nr;
	} site[DEBUG_SITES];
	uint32_t nr;
	uint64_t others; /* objects of callers for whom there is no place */
};

/* Adds the objects of @slab that are in use. */
void debug_note_sites(const struct slab *slab, struct debug_sites *sites);

/* To stderr, whoever has most first. */
void debug_report_sites(struct debug_sites *sites);

#else

struct debug_sites {
	uint32_t nr;
};

static inline void debug_free(const struct slab *slab, void *object, const char *caller)
{
	(void)slab;
	(void)object;
	(void)caller;
}

static inline void debug_alloc(void *object, unsigned int offset)
{
	(void)object;
	(void)offset;
}

static inline void debug_validate_heap(struct heap *heap)
{
	(void)heap;
}

static inline void debug_note_killed(struct slab *slab)
{
	(void)slab;
}

static inline void debug_keep_killed(struct slab *slab)
{
	slab_give_back_killed(slab);
}

static inline void debug_killed_pointer(const struct slab *slab, const void *object,
					const char *caller)
{
	(void)slab;
	(void)object;
	(void)caller;
}

static inline void debug_forget_killed(void)
{
}

static inline uint32_t debug_lay_out(struct kmem_cache *cache, uint32_t size)
{
	(void)cache;
	return size;
}

static inline void debug_carved(const struct slab *slab, void *first, uint32_t nr)
{
	(void)slab;
	(void)first;
	(void)nr;
}

static inline void debug_track(const struct kmem_cache *cache, void *object, const void *caller)
{
	(void)cache;
	(void)object;
	(void)caller;
}

static inline void debug_note_sites(const struct slab *slab, struct debug_sites *sites)
{
	(void)slab;
	(void)sites;
}

static inline void debug_report_sites(struct debug_sites *sites)
{
	(void)sites;
}

#endif
#endif
