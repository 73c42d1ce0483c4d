/* SPDX-License-Identifier: MIT */
/*
 * Shrinkers are registered and freed, the maps of groups grow, groups come and go,
 * objects are added and taken out, and many reclaim, all at once. No object is
 * lost, and no deferred count.
 */
#include <sched.h>

#include "alloc/base/os.h"
#include "alloc/slab/task.h"
#include "shrinker/shrink.h"
#include "shrinker/shrinker_info.h"
#include "tests/stress/check.h"
#include "tests/stress/crew.h"
#include "tests/stress/deadline.h"
#include "tests/stress/quiet.h"
#include "tests/stress/shrunk_caches.h"

/* ---- Reclaim ------------------------------------------------------------------ */

static void shrink_somewhere(struct random *random)
{
	struct mem_cgroup *memcg = caches_get_group(random);
	struct shrink_scope scope = {
		.memcg = memcg,
		.gfp = random_chance(random, 20) ? GFP_NOFS : GFP_KERNEL,
		.priority = (int)random_below(random, 4),
		.share = 1 + random_below(random, SHRINK_WHOLE_SHARE),
	};
	struct task_scope callbacks;

	if (!memcg)
		return;
	CHECK(task_begin_callbacks(&callbacks), "no callbacks");
	shrink_slab_memcg(&scope);
	if (random_chance(random, 10))
		shrink_slab_global(&scope);
	task_end_callbacks(&callbacks);
	mem_cgroup_put(memcg);
}

static void reclaim(unsigned int place, struct random *random)
{
	(void)place;
	for (int i = 0; i < 500; i++)
		shrink_somewhere(random);
}

static void change_shrinkers(unsigned int place, struct random *random)
{
	(void)place;
	for (int i = 0; i < 50; i++)
		caches_change(random);
}

static void change_groups(unsigned int place, struct random *random)
{
	(void)place;
	for (int i = 0; i < 50; i++)
		caches_change_group(random);
}

static void use(unsigned int place, struct random *random)
{
	(void)place;
	for (int i = 0; i < 500; i++)
		caches_use(random);
}

/* ---- The ledger ---------------------------------------------------------------- */

/*
 * What is deferred for these shrinkers, over all groups, is what was added and not
 * taken, however the maps grow and whichever groups go.
 */
#define LEDGERS 5

static struct ledger {
	struct shrinker *shrinker;
	unsigned long added, taken; /* atomic */
} ledgers[LEDGERS];

static unsigned long count_nothing(struct shrinker *shrinker, struct shrink_control *sc)
{
	(void)shrinker;
	(void)sc;
	return 0;
}

static void ledgers_make(void)
{
	for (int i = 0; i < LEDGERS; i++) {
		ledgers[i].shrinker = shrinker_alloc(SHRINKER_MEMCG_AWARE, "ledger %d", i);
		CHECK(ledgers[i].shrinker, "no shrinker");
		ledgers[i].shrinker->count_objects = count_nothing;
		ledgers[i].shrinker->scan_objects = count_nothing;
		shrinker_register(ledgers[i].shrinker);
	}
}

/* What a scan defers and the next one takes. The caller holds the group. */
static void keep_books(struct ledger *ledger, struct mem_cgroup *memcg, struct random *random)
{
	struct shrinker_body *body = shrinker_body(ledger->shrinker);
	uint32_t id = (uint32_t)ledger->shrinker->id;
	unsigned long nr = random_below(random, 1000);
	struct shrinker_info_unit *unit;
	struct shrinker_slot *slot;

	set_shrinker_bit(memcg, (int)id);
	unit = shrinker_info_next(memcg, id / SHRINKER_UNIT_IDS);
	CHECK(unit && unit->index == id / SHRINKER_UNIT_IDS, "no unit");
	slot = &unit->slots[id % SHRINKER_UNIT_IDS];
	if (random_chance(random, 3)) {
		nr = shrinker_slot_take(slot, body->generation);
		__atomic_add_fetch(&ledger->taken, nr, __ATOMIC_RELAXED);
	} else {
		__atomic_add_fetch(&ledger->added, nr, __ATOMIC_RELAXED);
		shrinker_defer(memcg, slot, body, nr);
	}
}

static void keep_all_books(unsigned int place, struct random *random)
{
	(void)place;
	for (int i = 0; i < 500; i++) {
		struct mem_cgroup *memcg = caches_get_group(random);

		if (!memcg)
			continue;
		/* It may go at any time from here on. */
		for (int j = 0; j < 20; j++)
			keep_books(&ledgers[random_below(random, LEDGERS)], memcg, random);
		mem_cgroup_put(memcg);
	}
}

static int add_deferred(struct mem_cgroup *memcg, void *arg)
{
	struct ledger *ledger = arg;
	struct shrinker_body *body = shrinker_body(ledger->shrinker);
	uint32_t id = (uint32_t)ledger->shrinker->id;
	struct shrinker_info_unit *unit = shrinker_info_next(memcg, id / SHRINKER_UNIT_IDS);

	if (unit && unit->index == id / SHRINKER_UNIT_IDS)
		ledger->taken +=
			shrinker_slot_take(&unit->slots[id % SHRINKER_UNIT_IDS], body->generation);
	return 0;
}

static void ledgers_end(void)
{
	for (int i = 0; i < LEDGERS; i++) {
		mem_cgroup_walk(mem_cgroup_root(), add_deferred, &ledgers[i]);
		CHECK(ledgers[i].taken == ledgers[i].added, "%lu deferred, %lu found",
		      ledgers[i].added, ledgers[i].taken);
		shrinker_free(ledgers[i].shrinker);
	}
}

/* ---- Posts -------------------------------------------------------------------- */

/*
 * Groups with room for one object, which is added when the last one was taken, by one
 * thread. If its bit were lost nobody would ever set it again.
 */
#define POSTS	2
#define LOST_MS 10000

static struct post {
	struct shrinker *shrinker;
	struct mem_cgroup *memcg;
	bool full;		 /* atomic */
	unsigned long delivered; /* its thread's */
} posts[POSTS];

static unsigned long count_post(struct shrinker *shrinker, struct shrink_control *sc)
{
	struct post *post = shrinker->private_data;
	bool full = __atomic_load_n(&post->full, __ATOMIC_RELAXED);

	/* Now another may come, between the count and what follows from it. */
	if (!full && sc->memcg == post->memcg)
		sched_yield();
	return full ? 1 : SHRINK_EMPTY;
}

static unsigned long scan_post(struct shrinker *shrinker, struct shrink_control *sc)
{
	struct post *post = shrinker->private_data;

	(void)sc;
	return __atomic_exchange_n(&post->full, false, __ATOMIC_RELAXED);
}

/* By the thread of the post: the next shrinker, which may have the id of the last. */
static void post_register(struct post *post)
{
	post->shrinker = shrinker_alloc(SHRINKER_MEMCG_AWARE, "post");
	CHECK(post->shrinker, "no shrinker");
	post->shrinker->count_objects = count_post;
	post->shrinker->scan_objects = scan_post;
	post->shrinker->private_data = post;
	shrinker_register(post->shrinker);
}

static void posts_make(void)
{
	for (int i = 0; i < POSTS; i++) {
		char name[16];

		snprintf(name, sizeof(name), "post%d", i);
		posts[i].memcg = mem_cgroup_create(NULL, name);
		CHECK(posts[i].memcg, "no group");
		post_register(&posts[i]);
	}
}

static void collect(struct post *post)
{
	struct shrink_scope scope = {
		.memcg = post->memcg, .gfp = GFP_KERNEL, .share = SHRINK_WHOLE_SHARE};

	shrink_slab_memcg(&scope);
}

static void collect_posts(unsigned int place, struct random *random)
{
	(void)random;
	for (int i = 0; i < 1000; i++)
		collect(&posts[place % POSTS]);
}

static void deliver(unsigned int place, struct random *random)
{
	struct post *post = &posts[place];

	for (int i = 0; i < 1000; i++) {
		uint64_t end = os_clock_ms() + LOST_MS;

		if (random_chance(random, 4)) {
			shrinker_free(post->shrinker);
			post_register(post);
		}
		__atomic_store_n(&post->full, true, __ATOMIC_RELAXED);
		set_shrinker_bit(post->memcg, post->shrinker->id);
		while (__atomic_load_n(&post->full, __ATOMIC_RELAXED)) {
			CHECK(os_clock_ms() < end, "nobody comes for it");
			sched_yield();
			collect(post);
		}
		post->delivered++;
	}
}

static void posts_end(void)
{
	for (int i = 0; i < POSTS; i++) {
		CHECK(posts[i].delivered, "nothing was delivered");
		shrinker_free(posts[i].shrinker);
		CHECK(!mem_cgroup_rmdir(posts[i].memcg), "rmdir");
		mem_cgroup_put(posts[i].memcg);
	}
}

/* ---- All of it ------------------------------------------------------------------ */

static void end(void)
{
	ledgers_end();
	posts_end();
	caches_end();
}

int main(int argc, char **argv)
{
	static const struct crew crews[] = {
		{3, reclaim},	     {2, change_shrinkers}, {1, change_groups},	    {2, use},
		{2, keep_all_books}, {POSTS, deliver},	    {POSTS, collect_posts}, {0, NULL}};
	uint64_t structs = memcg_nr_structs();

	deadline_start(argc, argv);
	ledgers_make();
	posts_make();
	caches_make();
	crew_run(crews, quiet_watch);
	crew_run_once(end);
	quiet_end();
	CHECK(!shrinkers_registered(), "shrinkers are left");
	CHECK(memcg_nr_structs() == structs, "%lu structs are left",
	      (unsigned long)memcg_nr_structs());
	caches_print();
	return 0;
}
