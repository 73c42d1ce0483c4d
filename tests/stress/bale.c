/* SPDX-License-Identifier: MIT */
#include "tests/stress/bale.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include <cgslab/slab.h>

#include "tests/stress/check.h"
#include "tests/stress/content.h"

#define PARKED 2
#define PAGE   4096ul
/*
 * A migration leaves the old span to those who still have it; its content is gone. Pins
 * that are left for others keep it where it is.
 */
struct bale {
	uint32_t refs;		/* atomic */
	pthread_mutex_t lock;	/* span */
	struct span *span;	/* a reference of the bale's own */
	pthread_mutex_t change; /* who gives it another span, or other content */
	bool moving;		/* atomic; change */
	pthread_rwlock_t use;	/* for writing: content changes */
	struct content content;
	size_t size;		     /* const */
	struct span *parked[PARKED]; /* atomic; each with a reference and a pin */
	void *block;		     /* atomic; of malloc(), not freed yet */
};

struct bale_counts bale_counts;

/* What the caller did, and what the thread did before, is seen by who sees it. */
static struct span *swap_span(struct span **place, struct span *span)
{
	return __atomic_exchange_n(place, span, __ATOMIC_ACQ_REL);
}

/* ---- Content ---------------------------------------------------------------- */

/* Moving is set before, and cleared when the new one is there. */
static bool was_moved(struct bale *bale, const struct span *span)
{
	return __atomic_load_n(&bale->moving, __ATOMIC_ACQUIRE) ||
	       __atomic_load_n(&bale->span, __ATOMIC_ACQUIRE) != span;
}

/* @span is pinned, and the content is the caller's to read. What is moved is not there. */
static void check(struct random *random, struct bale *bale, struct span *span, const void *data)
{
	size_t wrong = content_look(random, &bale->content, data, bale->size);

	CHECK(wrong >= bale->size || was_moved(bale, span),
	      "span %p of %zu bytes at %p, owner %lu, content %d: found %lx at %zu", (void *)span,
	      bale->size, data, (unsigned long)bale->content.owner, (int)bale->content.kind,
	      (unsigned long)((const uint64_t *)data)[wrong / 8], wrong);
}

/* ---- Life ------------------------------------------------------------------- */

static struct bale *bale_of(struct span *span, struct content content)
{
	struct bale *bale = calloc(1, sizeof(*bale));

	CHECK(bale, "no memory");
	bale->refs = 1;
	bale->span = span;
	bale->size = span_size(span);
	bale->content = content;
	pthread_mutex_init(&bale->lock, NULL);
	pthread_mutex_init(&bale->change, NULL);
	pthread_rwlock_init(&bale->use, NULL);
	return bale;
}

static struct bale *make_block(size_t size, struct content content)
{
	void *block =
		kmalloc(size, content.kind == CONTENT_ZERO ? GFP_KERNEL | __GFP_ZERO : GFP_KERNEL);
	struct span *span = block ? virt_to_span(block) : NULL;
	struct bale *bale;

	if (!block)
		return NULL;
	CHECK(span, "a block of %zu bytes is no span", size);
	span_get(span);
	bale = bale_of(span, content);
	bale->block = block;
	return bale;
}

static struct bale *make_span(struct random *random, size_t size, struct content content)
{
	unsigned int flags = GFP_KERNEL;
	struct span *span;

	if (content.kind == CONTENT_ZERO)
		flags |= __GFP_ZERO;
	if (!random_chance(random, 8))
		flags |= SPAN_SWAPPABLE;
	else if (random_chance(random, 3))
		flags |= SPAN_UNCHARGED;
	span = span_alloc(size, flags);
	CHECK(span || errno == ENOMEM, "span_alloc: errno %d", errno);
	return span ? bale_of(span, content) : NULL;
}

/* It may have been swapped out already, and not come back now. */
static bool fill_new(struct bale *bale)
{
	void *data = span_pin(bale->span);

	if (!data)
		return false;
	if (bale->content.kind != CONTENT_ZERO)
		content_fill(&bale->content, data, bale->size);
	span_unpin(bale->span);
	return true;
}

struct bale *bale_make(struct random *random, size_t largest)
{
	size_t size = (random_size(random, largest) + PAGE - 1) & ~(PAGE - 1);
	struct content content = content_any(random);
	struct bale *bale = random_chance(random, 8)
				    ? make_block(KMALLOC_MAX_CACHE_SIZE + size, content)
				    : make_span(random, size, content);

	if (bale && !fill_new(bale)) {
		bale_put(bale);
		bale = NULL;
	}
	bale_count(bale ? &bale_counts.made : &bale_counts.refused);
	return bale;
}

void bale_get(struct bale *bale)
{
	__atomic_add_fetch(&bale->refs, 1, __ATOMIC_RELAXED);
}

void bale_forget(struct bale *bale)
{
	pthread_mutex_destroy(&bale->lock);
	pthread_mutex_destroy(&bale->change);
	pthread_rwlock_destroy(&bale->use);
	free(bale);
}

void bale_put(struct bale *bale)
{
	if (!bale || __atomic_sub_fetch(&bale->refs, 1, __ATOMIC_ACQ_REL))
		return;
	for (int i = 0; i < PARKED; i++) {
		if (!bale->parked[i])
			continue;
		span_unpin(bale->parked[i]);
		span_put(bale->parked[i]);
	}
	kfree(bale->block);
	span_put(bale->span);
	bale_forget(bale);
}

/* The span that it has now, with a reference. */
static struct span *get_span(struct bale *bale)
{
	struct span *span;

	pthread_mutex_lock(&bale->lock);
	span = bale->span;
	span_get(span);
	pthread_mutex_unlock(&bale->lock);
	return span;
}

/* ---- Pins ------------------------------------------------------------------- */

static void check_errno(const char *what)
{
	CHECK(errno == ENOMEM || errno == EIO, "%s: errno %d", what, errno);
}

/* What another left pinned is where it was, and is unpinned here. */
static void take_parked(struct random *random, struct bale *bale)
{
	struct span *span = swap_span(&bale->parked[random_below(random, PARKED)], NULL);
	void *data;

	if (!span)
		return;
	data = span_pin(span);
	CHECK(data, "a pinned span cannot be pinned: errno %d", errno);
	CHECK(virt_to_span(data) == span, "not found by its address");
	check(random, bale, span, data);
	span_unpin(span);
	span_unpin(span);
	span_put(span);
	bale_count(&bale_counts.parked);
}

/* The caller's pin and reference, for others to give back. Whether there is room. */
static bool park(struct random *random, struct bale *bale, struct span *span)
{
	struct span **place = &bale->parked[random_below(random, PARKED)], *none = NULL;

	return __atomic_compare_exchange_n(place, &none, span, false, __ATOMIC_RELEASE,
					   __ATOMIC_RELAXED);
}

static int pin_and_check(struct random *random, struct bale *bale, struct span *span)
{
	void *data = span_pin(span);

	if (!data) {
		int err = errno;

		check_errno("span_pin");
		bale_count(&bale_counts.lost);
		span_put(span);
		return err;
	}
	bale_count(&bale_counts.pinned);
	check(random, bale, span, data);
	if (!was_moved(bale, span) && random_chance(random, 8) && park(random, bale, span))
		return 0;
	span_unpin(span);
	span_put(span);
	return 0;
}

int bale_check(struct random *random, struct bale *bale)
{
	int err;

	pthread_rwlock_rdlock(&bale->use);
	take_parked(random, bale);
	err = pin_and_check(random, bale, get_span(bale));
	pthread_rwlock_unlock(&bale->use);
	return err;
}

/* ---- Changes ---------------------------------------------------------------- */

static void rewrite(struct random *random, struct bale *bale)
{
	void *data = span_pin(bale->span);

	if (!data) {
		check_errno("span_pin");
		return;
	}
	check(random, bale, bale->span, data);
	bale->content = content_any(random);
	content_fill(&bale->content, data, bale->size);
	span_unpin(bale->span);
	bale_count(&bale_counts.rewritten);
}

void bale_rewrite(struct random *random, struct bale *bale)
{
	if (pthread_mutex_trylock(&bale->change))
		return;
	if (!pthread_rwlock_trywrlock(&bale->use)) {
		rewrite(random, bale);
		pthread_rwlock_unlock(&bale->use);
	}
	pthread_mutex_unlock(&bale->change);
}

static void migrate(struct bale *bale, struct span *new)
{
	struct span *old = bale->span, *unused = new;
	int err = mem_cgroup_migrate(old, new);

	CHECK(!err || err == -EBUSY || err == -ENOMEM || err == -EIO || err == -EINVAL,
	      "migrate: %d", err);
	if (!err) {
		pthread_mutex_lock(&bale->lock);
		__atomic_store_n(&bale->span, new, __ATOMIC_RELEASE);
		pthread_mutex_unlock(&bale->lock);
		unused = old;
		bale_count(&bale_counts.migrated);
	}
	__atomic_store_n(&bale->moving, false, __ATOMIC_RELEASE);
	span_put(unused);
}

/* To one that is charged to nobody, or has a charge of its own. */
void bale_migrate(struct random *random, struct bale *bale)
{
	unsigned int flags = random_chance(random, 3) ? SPAN_SWAPPABLE : SPAN_UNCHARGED;
	size_t more = random_chance(random, 3) ? random_below(random, 20) * PAGE : 0;
	struct span *new;

	if (__atomic_load_n(&bale->block, __ATOMIC_RELAXED))
		return;
	if (pthread_mutex_trylock(&bale->change))
		return;
	new = span_alloc(bale->size + more, GFP_KERNEL | flags);
	if (new) {
		__atomic_store_n(&bale->moving, true, __ATOMIC_SEQ_CST);
		migrate(bale, new);
	}
	pthread_mutex_unlock(&bale->change);
}

bool bale_transfer(struct bale *bale, struct mem_cgroup *to)
{
	int err;

	pthread_mutex_lock(&bale->change);
	err = span_transfer(bale->span, to);
	pthread_mutex_unlock(&bale->change);
	CHECK(!err || err == -EBUSY || err == -ENOMEM || err == -ENODEV || err == -EINVAL,
	      "transfer: %d", err);
	if (!err)
		bale_count(&bale_counts.transferred);
	return !err;
}

bool bale_is_alone(const struct bale *bale)
{
	return __atomic_load_n(&bale->refs, __ATOMIC_ACQUIRE) == 1;
}

struct mem_cgroup *bale_memcg(const struct bale *bale)
{
	return span_memcg(bale->span);
}

/* The span keeps what others have of it; a copy is a block of its own. */
void bale_free_block(struct random *random, struct bale *bale)
{
	void *block = __atomic_exchange_n(&bale->block, NULL, __ATOMIC_ACQ_REL);
	void *copy;

	if (!block)
		return;
	bale_count(&bale_counts.blocks);
	if (random_chance(random, 2)) {
		kfree(block);
		return;
	}
	pthread_rwlock_rdlock(&bale->use);
	copy = krealloc(block, bale->size + random_below(random, 100000), GFP_KERNEL);
	CHECK(!copy || content_look(random, &bale->content, copy, bale->size) == bale->size,
	      "krealloc() lost the content");
	pthread_rwlock_unlock(&bale->use);
	kfree(copy ? copy : block);
}
