/* SPDX-License-Identifier: MIT */
/*
 * Threads pin spans, nested, for each other, and long after they have lost sight of them,
 * while others isolate them and move or rewrite their content, alone and by the
 * list. All words of a span are the same at any time that somebody has it pinned, and its
 * address stays. Spans come and go, so that each thread is the pinner of some; others were
 * blocks, and are freed when they are in use as spans already.
 */
#include <pthread.h>
#include <string.h>

#include <cgslab/slab.h>

#include "alloc/slab/span.h"
#include "tests/stress/check.h"
#include "tests/stress/crew.h"
#include "tests/stress/deadline.h"
#include "tests/stress/quiet.h"

#define PLACES 6
#define BYTES  (96ul << 10)
#define LIFE   3000
#define BATCH  4
#define WORDS  (BYTES / sizeof(uint64_t))
#define STEP   (WORDS / 4)

static struct place {
	pthread_mutex_t lock;
	struct span *span;   /* lock */
	struct span *pinned; /* atomic: pinned by one thread, for another to unpin */
} places[PLACES];

static unsigned long pins, taken, busy, moved;

static void count(unsigned long *what)
{
	__atomic_add_fetch(what, 1, __ATOMIC_RELAXED);
}

/* The span at a place, with a reference. */
static struct span *get(struct random *random)
{
	struct place *place = &places[random_below(random, PLACES)];
	struct span *span;

	pthread_mutex_lock(&place->lock);
	span = place->span;
	span_get(span);
	pthread_mutex_unlock(&place->lock);
	return span;
}

/* ---- Content -------------------------------------------------------------- */

static void fill(uint64_t *words, uint64_t value)
{
	for (size_t i = 0; i < WORDS; i += STEP)
		words[i] = value;
}

static void check(const uint64_t *words)
{
	for (size_t i = 0; i < WORDS; i += STEP)
		CHECK(words[i] == words[0], "%lx and %lx", (long)words[i], (long)words[0]);
}

/* *@block: is to be freed; or NULL. */
static struct span *make(struct random *random, void **block)
{
	struct span *span;
	uint64_t *words;

	*block = random_chance(random, 2) ? kmalloc(BYTES, GFP_KERNEL) : NULL;
	span = *block ? virt_to_span(*block) : span_alloc(BYTES, GFP_KERNEL);
	CHECK(span, "no memory");
	if (*block)
		span_get(span);
	words = span_pin(span);
	fill(words, random_next(random));
	span_unpin(span);
	return span;
}

/* ---- Who pins ------------------------------------------------------------- */

static void look(struct span *span, struct random *random)
{
	uint64_t *words = span_pin(span);
	unsigned int nested = random_below(random, 3);

	CHECK(words, "nothing there");
	check(words);
	for (unsigned int i = 0; i < nested; i++)
		CHECK(span_pin(span) == words, "it has moved while it was pinned");
	check(words);
	for (unsigned int i = 0; i <= nested; i++)
		span_unpin(span);
	count(&pins);
}

static void unpin_for_another(struct span *span)
{
	if (!span)
		return;
	check(span_pin(span));
	span_unpin(span);
	span_unpin(span);
	span_put(span);
}

/* Leaves it pinned, with the reference, in the place of one that it unpins. */
static void hand_over(struct span *span, struct random *random)
{
	struct place *place = &places[random_below(random, PLACES)];

	check(span_pin(span));
	unpin_for_another(__atomic_exchange_n(&place->pinned, span, __ATOMIC_ACQ_REL));
}

static void replace(struct random *random)
{
	struct place *place = &places[random_below(random, PLACES)];
	void *block;
	struct span *span = make(random, &block);
	struct span *old;

	pthread_mutex_lock(&place->lock);
	old = place->span;
	place->span = span;
	pthread_mutex_unlock(&place->lock);
	kfree(block);
	span_put(old);
}

static void pin_life(unsigned int id, struct random *random)
{
	(void)id;
	for (int i = 0; i < LIFE; i++) {
		struct span *span = get(random);

		if (random_chance(random, 50)) {
			hand_over(span, random);
			continue;
		}
		look(span, random);
		span_put(span);
		if (random_chance(random, 500))
			replace(random);
	}
}

/* ---- Who has them alone ----------------------------------------------------- */

static void move(struct slab *span)
{
	struct slab gone = {.start = span->start, .capacity = span->capacity, .moved = span->moved};
	bool zeroed;

	if (span_run_get(span, &zeroed))
		return;
	memcpy(span->start, gone.start, BYTES);
	memset(gone.start, 0xa5, BYTES);
	span_run_map(span);
	span_run_put(&gone);
	count(&moved);
}

static void use_alone(struct slab *span, struct random *random)
{
	uint64_t *words = (uint64_t *)span->start;

	check(words);
	if (random_chance(random, 2))
		move(span);
	else
		fill(words, random_next(random));
	count(&taken);
}

static void isolate_one(struct random *random)
{
	struct span *span = get(random);

	if (span_isolate(span_slab(span)) == 0) {
		use_alone(span_slab(span), random);
		span_putback(span_slab(span));
	} else {
		count(&busy);
	}
	span_put(span);
}

static void isolate_some(struct random *random)
{
	struct span *spans[BATCH];
	unsigned int n = 0;

	span_gate_enter();
	for (int i = 0; i < BATCH; i++) {
		struct span *span = get(random);

		if (span_isolate_begin(span_slab(span)))
			spans[n++] = span;
		else
			span_put(span);
	}
	while (n) {
		struct slab *span = span_slab(spans[--n]);

		if (span_isolate_check(span)) {
			use_alone(span, random);
			span_end_busy(span);
		} else {
			count(&busy);
		}
		span_put(spans[n]);
	}
	span_gate_leave();
}

static void isolate_life(unsigned int id, struct random *random)
{
	(void)id;
	for (int i = 0; i < LIFE / 10; i++) {
		if (random_chance(random, 3))
			isolate_some(random);
		else
			isolate_one(random);
		os_sleep_us(random_below(random, 100));
	}
}

static void begin(void)
{
	struct random random;
	void *block;

	random_seed(&random, 1);
	for (int i = 0; i < PLACES; i++) {
		pthread_mutex_init(&places[i].lock, NULL);
		places[i].span = make(&random, &block);
		kfree(block);
	}
}

static void end(void)
{
	for (int i = 0; i < PLACES; i++)
		unpin_for_another(places[i].pinned);
	for (int i = 0; i < PLACES; i++) {
		CHECK(!span_is_pinned(span_slab(places[i].span)), "a pin is left");
		span_put(places[i].span);
	}
}

int main(int argc, char **argv)
{
	static const struct crew crews[] = {{3, pin_life}, {2, isolate_life}, {0, NULL}};

	deadline_start(argc, argv);
	crew_run_once(begin);
	crew_run(crews, quiet_watch);
	crew_run_once(end);
	quiet_end();
	printf("%lu pins, %lu times alone, %lu times pinned, %lu moved\n", pins, taken, busy,
	       moved);
	CHECK(pins > 1000 && taken > 100 && busy > 100 && moved > 10, "too little has met");
	return 0;
}
