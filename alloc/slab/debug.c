/* SPDX-License-Identifier: MIT */
#include "alloc/slab/debug.h"

#ifdef CGSLAB_DEBUG

#include <dlfcn.h>
#include <string.h>

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
	debug_track(slab->cache, object, NULL);
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

/* ---- Who allocated what --------------------------------------------------- */

/* So many lines of a report at most. */
#define REPORT_LINES 10

uint32_t debug_lay_out(struct kmem_cache *cache, uint32_t size)
{
	/* Behind the mark of a free object, too. */
	size = max_t(uint32_t, size, 2 * sizeof(void *));
	cache->track = (uint32_t)round_up_to(size, sizeof(void *));
	return cache->track + (uint32_t)sizeof(void *);
}

static const void **track_of(const struct kmem_cache *cache, void *object)
{
	return (const void **)((char *)object + cache->track);
}

void debug_track(const struct kmem_cache *cache, void *object, const void *caller)
{
	if (object && cache->track)
		WRITE_ONCE(*track_of(cache, object), caller);
}

void debug_carved(const struct slab *slab, void *first, uint32_t nr)
{
	for (char *object = first; nr; nr--, object += slab->size)
		debug_track(slab->cache, object, NULL);
}

static void note_site(struct debug_sites *sites, const void *caller)
{
	uint32_t i;

	for (i = 0; i < sites->nr && sites->site[i].caller != caller; i++)
		;
	if (i == DEBUG_SITES) {
		sites->others++;
		return;
	}
	if (i == sites->nr)
		sites->site[sites->nr++].caller = caller;
	sites->site[i].nr++;
}

void debug_note_sites(const struct slab *slab, struct debug_sites *sites)
{
	uint32_t carved = READ_ONCE(slab->carved);

	for (uint32_t i = 0; i < carved; i++) {
		const void *caller = READ_ONCE(*track_of(slab->cache, slab_object(slab, i)));

		if (caller)
			note_site(sites, caller);
	}
}

/* As a function and an offset, or as a file and what addr2line wants. */
static void report_site(const struct debug_site *site)
{
	const char *slash, *file;
	Dl_info info;

	if (!dladdr(site->caller, &info)) {
		warn("  %lu allocated at %p", (unsigned long)site->nr, site->caller);
		return;
	}
	slash = strrchr(info.dli_fname, '/');
	file = slash ? slash + 1 : info.dli_fname;
	if (info.dli_sname)
		warn("  %lu allocated by %s+0x%lx (%s)", (unsigned long)site->nr, info.dli_sname,
		     (unsigned long)((uintptr_t)site->caller - (uintptr_t)info.dli_saddr), file);
	else
		warn("  %lu allocated at %s+0x%lx", (unsigned long)site->nr, file,
		     (unsigned long)((uintptr_t)site->caller - (uintptr_t)info.dli_fbase));
}

/* Takes out who has most. */
static struct debug_site take_most(struct debug_sites *sites)
{
	struct debug_site *most = sites->site, site;

	for (uint32_t i = 1; i < sites->nr; i++)
		if (sites->site[i].nr > most->nr)
			most = &sites->site[i];
	site = *most;
	*most = sites->site[--sites->nr];
	return site;
}

void debug_report_sites(struct debug_sites *sites)
{
	uint64_t others = sites->others;

	for (int line = 0; sites->nr && line < REPORT_LINES; line++) {
		struct debug_site site = take_most(sites);

		report_site(&site);
	}
	while (sites->nr)
		others += sites->site[--sites->nr].nr;
	if (others)
		warn("  %lu allocated elsewhere", (unsigned long)others);
}

#else

/* ISO C wants a declaration in every file. */
typedef int debug_is_off;

#endif
