/* SPDX-License-Identifier: MIT */
#include "shrinker/shrinker.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "alloc/base/lock.h"
#include "alloc/base/message.h"
#include "alloc/base/meta.h"
#include "alloc/base/os.h"
#include "alloc/base/rcu.h"
#include "shrinker/pressure.h"
#include "shrinker/shrinker_info.h"

#define KNOWN_FLAGS                                                                                \
	(SHRINKER_MEMCG_AWARE | SHRINKER_NUMA_AWARE | SHRINKER_NONSLAB | SHRINKER_MALLOC_SAFE)

#define CHUNK_BITS 9
#define CHUNKS	   128

struct chunk {
	struct shrinker_body *bodies[1 << CHUNK_BITS]; /* each set once, by release */
};

/* Held over nothing but meta_alloc(). No walk takes it. */
static struct lock shrinkers_lock = LOCK_INIT(LOCK_RANK_SHRINKERS);

static struct chunk *chunks[CHUNKS]; /* each set once, by release */
static uint32_t nr_ids;		     /* written under shrinkers_lock, by release */
static uint32_t nr_registered;	     /* atomic */
static bool watched;		     /* atomic */
static struct shrinker_body *unused; /* shrinkers_lock */

__thread struct shrinker_body *shrinker_running;

/* ---- The table ---------------------------------------------------------- */

uint32_t shrinker_nr_ids(void)
{
	return load_acquire(&nr_ids); /* pairs with add_body() */
}

bool shrinkers_registered(void)
{
	return READ_ONCE(nr_registered);
}

struct shrinker_body *shrinker_by_id(uint32_t id)
{
	struct chunk *chunk = load_acquire(&chunks[id >> CHUNK_BITS]);

	return load_acquire(&chunk->bodies[id % (1 << CHUNK_BITS)]);
}

/* A new slot, or NULL. shrinkers_lock. */
static struct shrinker_body *add_body(void)
{
	uint32_t id = nr_ids;
	struct chunk *chunk;
	struct shrinker_body *body;

	if (id >> CHUNK_BITS >= CHUNKS)
		return NULL;
	chunk = chunks[id >> CHUNK_BITS];
	if (!chunk) {
		chunk = meta_alloc(sizeof(*chunk));
		if (!chunk)
			return NULL;
		store_release(&chunks[id >> CHUNK_BITS], chunk); /* shrinker_by_id() */
	}
	body = meta_alloc(sizeof(*body));
	if (!body)
		return NULL;
	body->shrinker.id = (int)id;
	for (int i = 0; i < SHRINKER_STRIPES; i++)
		body->stripes[i].refs = SHRINKER_DEAD;
	store_release(&chunk->bodies[id % (1 << CHUNK_BITS)], body); /* shrinker_by_id() */
	store_release(&nr_ids, id + 1);				     /* shrinker_nr_ids() */
	return body;
}

/* Low ids first would be denser; those freed last are warmer. shrinkers_lock. */
static struct shrinker_body *take_body(void)
{
	struct shrinker_body *body = unused;

	if (!body)
		return add_body();
	unused = body->next_free;
	return body;
}

/*
 * At once: were it later, more ids would be in use the faster shrinkers come and go, and
 * groups have memory for each id that they ever saw. shrinkers_lock.
 */
static void give_body(struct shrinker_body *body)
{
	body->next_free = unused;
	unused = body;
}

/* ---- References --------------------------------------------------------- */

/* The calling thread's. */
static uint32_t *refs_of(struct shrinker_body *body)
{
	static __thread uint32_t stripe __attribute__((tls_model("initial-exec")));
	static uint32_t threads; /* atomic */

	if (unlikely(!stripe))
		stripe = atomic_add(&threads, 1) % SHRINKER_STRIPES + 1;
	return &body->stripes[stripe - 1].refs;
}

bool shrinker_try_pin(struct shrinker_body *body)
{
	uint32_t *word = refs_of(body);
	uint32_t refs = READ_ONCE(*word);

	do {
		if ((refs & (SHRINKER_REGISTERED | SHRINKER_DEAD)) != SHRINKER_REGISTERED)
			return false;
		/* Pairs with shrinker_register(); or fails for kill_body(). */
	} while (!cmpxchg_acquire(word, &refs, refs + SHRINKER_REF));
	return true;
}

/*
 * From the subtraction on shrinker_free() may return, and its caller may do what
 * he likes; the slot itself is for ever, so the word can still be told to the kernel.
 */
void shrinker_unpin(struct shrinker_body *body)
{
	uint32_t *word = refs_of(body);

	/* Pairs with wait_for_callbacks(). */
	if (unlikely(atomic_sub_acq_rel(word, SHRINKER_REF) ==
		     (SHRINKER_REGISTERED | SHRINKER_DEAD)))
		os_futex_wake(word);
}

bool shrinker_tryget(struct shrinker_body *body)
{
	if (!shrinker_try_pin(body))
		return false;
	shrinker_running = body;
	return true;
}

void shrinker_put(struct shrinker_body *body)
{
	shrinker_running = NULL;
	shrinker_unpin(body);
}

bool shrinker_is_dead(const struct shrinker_body *body)
{
	return load_acquire(&body->stripes[0].refs) & SHRINKER_DEAD; /* kill_body() */
}

/* ---- Registration ------------------------------------------------------- */

static void begin_life(struct shrinker_body *body, unsigned int flags)
{
	int id = body->shrinker.id;

	body->shrinker = (struct shrinker){.seeks = DEFAULT_SEEKS, .flags = flags, .id = id};
	/* Never 0, which is that of new units. */
	body->generation = (body->generation & GENERATION_MASK) % GENERATION_MASK + 1;
	WRITE_ONCE(body->warned, 0);
	shrinker_slot_take(&body->slot, body->generation);
	for (int i = 0; i < SHRINKER_STRIPES; i++)
		store_release(&body->stripes[i].refs, 0u); /* shrinker_is_dead() */
}

struct shrinker *shrinker_alloc(unsigned int flags, const char *fmt, ...)
{
	struct shrinker_body *body = NULL;
	va_list args;

	if (flags & ~KNOWN_FLAGS) {
		errno = EINVAL;
		return NULL;
	}
	lock(&shrinkers_lock);
	body = take_body();
	if (body)
		begin_life(body, flags);
	unlock(&shrinkers_lock);
	if (!body) {
		errno = ENOMEM;
		return NULL;
	}
	va_start(args, fmt);
	vsnprintf(body->name, sizeof(body->name), fmt, args);
	va_end(args);
	return &body->shrinker;
}

/* Somebody is to look whether the machine is short of memory, now that this is of use. */
static void watch_machine(void)
{
	if (unlikely(!READ_ONCE(watched)) && pressure_begin())
		WRITE_ONCE(watched, true);
}

void shrinker_register(struct shrinker *shrinker)
{
	struct shrinker_body *body = shrinker_body(shrinker);

	if (!shrinker->count_objects || !shrinker->scan_objects)
		die("shrinker '%s' has no callbacks", body->name);
	if (READ_ONCE(body->stripes[0].refs))
		die("shrinker '%s' is registered twice, or was freed", body->name);
	/* Infos can grow now: the thread that frees the old is started here, not there. */
	if (shrinker->id >= SHRINKER_UNIT_IDS)
		get_default_call_rcu_data();
	for (int i = 0; i < SHRINKER_STRIPES; i++)
		store_release(&body->stripes[i].refs, SHRINKER_REGISTERED); /* shrinker_tryget() */
	atomic_add(&nr_registered, 1);
	watch_machine();
}

/* ---- shrinker_free() ---------------------------------------------------- */

/* Nobody gets it from now on. */
static void kill_body(struct shrinker_body *body)
{
	if (READ_ONCE(body->stripes[0].refs) & SHRINKER_REGISTERED)
		atomic_sub(&nr_registered, 1);
	for (int i = 0; i < SHRINKER_STRIPES; i++) {
		uint32_t *word = &body->stripes[i].refs;

		/* Pairs with shrinker_tryget(), which fails, or has counted before. */
		if (__atomic_fetch_or(word, SHRINKER_DEAD, __ATOMIC_ACQ_REL) & SHRINKER_DEAD)
			die("shrinker '%s' is freed twice", body->name);
	}
}

/*
 * In a callback of the calling thread's: does one of @body's wait for this one to
 * return? Each shrinker is freed by one thread, so it is one chain that leads from
 * who is waited for to who waits. shrinkers_lock.
 */
static void check_circle(const struct shrinker_body *body)
{
	const struct shrinker_body *waiter = shrinker_running;

	for (; waiter; waiter = waiter->freer)
		if (waiter == body)
			die("callbacks of the shrinkers '%s' and '%s' free each other's shrinker",
			    shrinker_running->name, body->name);
}

static void begin_wait(struct shrinker_body *body)
{
	lock(&shrinkers_lock);
	if (shrinker_running)
		check_circle(body);
	body->freer = shrinker_running;
	body->awaited = true;
	unlock(&shrinkers_lock);
}

/* The next may have the id. */
static void end_wait(struct shrinker_body *body)
{
	lock(&shrinkers_lock);
	body->freer = NULL;
	body->awaited = false;
	give_body(body);
	unlock(&shrinkers_lock);
}

/* All that was done in callbacks has happened before the return. */
static void wait_for_callbacks(struct shrinker_body *body)
{
	for (int i = 0; i < SHRINKER_STRIPES; i++) {
		uint32_t *word = &body->stripes[i].refs;
		uint32_t refs;

		/* Pairs with shrinker_put(). */
		while ((refs = load_acquire(word)) >= SHRINKER_REF)
			os_futex_wait(word, refs);
	}
}

void shrinker_free(struct shrinker *shrinker)
{
	struct shrinker_body *body;

	if (!shrinker)
		return;
	body = shrinker_body(shrinker);
	if (shrinker_running == body)
		die("shrinker '%s' is freed in its own callback", body->name);
#ifdef CGSLAB_DEBUG
	if (rcu_read_ongoing())
		die("shrinker '%s' is freed in an RCU read section", body->name);
#endif
	kill_body(body);
	begin_wait(body);
	wait_for_callbacks(body);
	end_wait(body);
}

/* ---- fork --------------------------------------------------------------- */

void shrinkers_fork_prepare(void)
{
	lock(&shrinkers_lock);
}

void shrinkers_fork_done(void)
{
	unlock(&shrinkers_lock);
}

/* Of the threads that ran callbacks or waited for them only this one is left. */
static void forget_threads(struct shrinker_body *body)
{
	for (int i = 0; i < SHRINKER_STRIPES; i++)
		body->stripes[i].refs &= SHRINKER_REF - 1;
	if (body == shrinker_running)
		*refs_of(body) += SHRINKER_REF;
	body->freer = NULL;
	if (body->awaited && body != shrinker_running) {
		body->awaited = false;
		give_body(body);
	}
}

void shrinkers_fork_child(void)
{
	lock(&shrinkers_lock);
	for (uint32_t id = 0; id < nr_ids; id++)
		forget_threads(shrinker_by_id(id));
	unlock(&shrinkers_lock);
	WRITE_ONCE(watched, false); /* by the parent's thread */
}
