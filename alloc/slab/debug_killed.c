/* SPDX-License-Identifier: MIT */
/*
 * What was killed last is kept, without access, so that a use of it faults and a
 * free of it is known for what it is. A slab's ->killed says whose it was.
 */
#include "alloc/slab/debug.h"

#ifdef CGSLAB_DEBUG

#include <string.h>

#include "alloc/base/message.h"
#include "alloc/base/meta.h"

#define KEPT	   256
#define KEPT_BYTES (16ul << 20)

/* Written over what is not of whole pages, which cannot be forbidden. */
#define POISON 0x6b

struct killed {
	char group[MEMCG_NAME_MAX + 1];
	bool forbidden;
};

/* All below: cgroup_lock. */
static struct slab *kept[KEPT]; /* a ring */
static uint32_t oldest, nr_kept;
static size_t kept_bytes;

static struct killed *killed_of(const struct slab *slab)
{
	return slab->killed;
}

void debug_note_killed(struct slab *slab)
{
	struct killed *killed = meta_alloc(sizeof(*killed));

	if (!killed)
		die("no memory to note what was killed");
	strncpy(killed->group, mem_cgroup_name(slab->objcg->memcg), MEMCG_NAME_MAX);
	slab->killed = killed;
}

/* With what a span has room for. */
static size_t run_bytes(const struct slab *slab)
{
	return slab->size ? slab_bytes(slab) : (size_t)slab->capacity << PAGE_SHIFT;
}

static void forbid(struct slab *slab)
{
	size_t bytes = run_bytes(slab);

	if (((uintptr_t)slab->start | bytes) % os_page_size() == 0)
		killed_of(slab)->forbidden = os_forbid(slab->start, bytes);
	if (!killed_of(slab)->forbidden)
		memset(slab->start, POISON, slab_bytes(slab));
}

static void expect_poison(const struct slab *slab)
{
	const unsigned char *bytes = (const unsigned char *)slab->start;

	for (size_t i = 0; i < slab_bytes(slab); i++)
		if (bytes[i] != POISON)
			die("%p was written after its group '%s' was killed",
			    (const void *)&bytes[i], killed_of(slab)->group);
}

static void allow(struct slab *slab)
{
	if (!killed_of(slab)->forbidden)
		expect_poison(slab);
	else if (!os_allow(slab->start, run_bytes(slab)))
		die("cannot get killed memory at %p back", (void *)slab->start);
}

static void give_back(struct slab *slab)
{
	meta_free(killed_of(slab), sizeof(struct killed));
	slab_give_back_killed(slab);
}

/* cgroup_lock. */
static void give_back_oldest(void)
{
	struct slab *slab = kept[oldest];

	oldest = (oldest + 1) % KEPT;
	nr_kept--;
	kept_bytes -= run_bytes(slab);
	allow(slab);
	give_back(slab);
}

void debug_keep_killed(struct slab *slab)
{
	size_t bytes = run_bytes(slab);

	if (bytes > KEPT_BYTES || !slab->start) {
		give_back(slab);
		return;
	}
	slab->cache = &kmalloc_caches[0]; /* its own may be gone */
	forbid(slab);
	lock(&cgroup_lock);
	while (nr_kept == KEPT || kept_bytes + bytes > KEPT_BYTES)
		give_back_oldest();
	kept[(oldest + nr_kept++) % KEPT] = slab;
	kept_bytes += bytes;
	unlock(&cgroup_lock);
}

void debug_forget_killed(void)
{
	lock(&cgroup_lock);
	while (nr_kept)
		give_back_oldest();
	unlock(&cgroup_lock);
}

void debug_killed_pointer(const struct slab *slab, const void *object, const char *caller)
{
	if (READ_ONCE(slab->kind) == SLAB_KILLED)
		die("%s(): %p went with its group '%s', which was killed", caller, object,
		    killed_of(slab)->group);
}

#else

/* ISO C wants a declaration in every file. */
typedef int debug_killed_is_off;

#endif
