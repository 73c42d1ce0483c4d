/* SPDX-License-Identifier: MIT */
/* How much is scanned, of what, and when a group is not asked any more. */
#include <criterion/criterion.h>

#include "tests/shrinker/toy.h"

static struct mem_cgroup *memcg;
static struct toy toy;

static void make(void)
{
	memcg = mem_cgroup_create(NULL, "group");
	cr_assert(memcg);
	toy_start(&toy, SHRINKER_MEMCG_AWARE, "toy");
	set_shrinker_bit(memcg, toy.shrinker->id);
}

/* ---- The kernel's arithmetic --------------------------------------------- */

/* 4 / seeks of what the priority asks for, in batches, the rest deferred. */
Test(shrink, batches, .init = make)
{
	toy.objects = 10000;
	cr_expect_eq(toy_shrink(memcg, 3), 2432); /* 10000 / 8 * 4 / 2 = 2500 */
	cr_expect_eq(toy.scans, 19);
	cr_expect_eq(toy.last_batch, SHRINK_BATCH);
	cr_expect_eq(toy_deferred(&toy, memcg), 2500 - 2432);
	cr_expect_eq(toy.memcg, memcg);
}

Test(shrink, own_batch_and_seeks, .init = make)
{
	toy.objects = 10000;
	toy.shrinker->batch = 1000;
	toy.shrinker->seeks = 4;
	cr_expect_eq(toy_shrink(memcg, 1), 5000);
	cr_expect_eq(toy.scans, 5);
	cr_expect_eq(toy.last_batch, 1000);
	cr_expect_eq(toy_deferred(&toy, memcg), 0);
}

/* Half of them, at any priority. */
Test(shrink, costs_nothing, .init = make)
{
	toy.objects = 2560;
	toy.shrinker->seeks = 0;
	cr_expect_eq(toy_shrink(memcg, 12), 1280);
}

/* Less than a batch is left to a later call, until it has become one. */
Test(shrink, small_caches_wait, .init = make)
{
	toy.objects = 800;
	for (int i = 1; i <= 2; i++) {
		cr_expect_eq(toy_shrink(memcg, 5), 0); /* 800 / 32 * 2 = 50 */
		cr_expect_eq(toy_deferred(&toy, memcg), 50ul * (unsigned int)i);
	}
	cr_expect_eq(toy.scans, 0);
	/* What was deferred counts by the priority too. */
	cr_expect_eq(toy_shrink(memcg, 3), 128); /* 100 / 8 + 200 = 212 */
	cr_expect_eq(toy_deferred(&toy, memcg), 100 + 200 - 128);
}

/* All of them is enough to scan less than a batch; and never more than twice that. */
Test(shrink, fewer_than_a_batch, .init = make)
{
	toy.objects = 5;
	toy.keep = true;
	cr_expect_eq(toy_shrink(memcg, 0), 0);
	cr_expect_eq(toy.asked, 10);
	cr_expect_eq(toy.scans, 1);
}

Test(shrink, deferred_is_capped, .init = make)
{
	toy.objects = 1000;
	toy.stop = true;
	for (int i = 0; i < 10; i++)
		cr_expect_eq(toy_shrink(memcg, 0), 0);
	cr_expect_eq(toy_deferred(&toy, memcg), 2000);
	cr_expect_eq(toy.scans, 10, "at priority 0 it is asked each time");
	toy.stop = false;
	toy.keep = true;
	toy.asked = 0;
	toy_shrink(memcg, 0);
	cr_expect_eq(toy.asked, 1920, "whole batches of 2000");
}

/* What it did not look at stays due. */
Test(shrink, looks_at_less, .init = make)
{
	toy.objects = 1000;
	toy.shrinker->batch = 100;
	toy.at_most = 50;
	cr_expect_eq(toy_shrink(memcg, 3), 200); /* 250, until less than a batch is left */
	cr_expect_eq(toy.scans, 4);
	cr_expect_eq(toy_deferred(&toy, memcg), 50);
}

Test(shrink, nothing_to_free_now, .init = make)
{
	cr_expect_eq(toy_shrink(memcg, 0), 0);
	cr_expect_eq(toy.scans, 0);
	cr_expect(toy_bit(&toy, memcg), "0 is not empty");
}

/* ---- Who is asked ---------------------------------------------------------- */

Test(shrink, empty_groups_are_left_alone, .init = make)
{
	toy.objects = SHRINK_EMPTY;
	cr_expect_eq(toy_shrink(memcg, 0), 0);
	cr_expect_eq(toy.counts, 2, "before and after the bit is cleared");
	cr_expect_not(toy_bit(&toy, memcg));
	cr_expect_eq(toy_shrink(memcg, 0), 0);
	cr_expect_eq(toy.counts, 2);

	toy.objects = 10;
	set_shrinker_bit(memcg, toy.shrinker->id);
	cr_expect_eq(toy_shrink(memcg, 0), 10);
}

static void add_after_first_look(struct toy *self, struct shrink_control *sc)
{
	(void)sc;
	if (self->counts == 2)
		self->objects = 100;
}

Test(shrink, second_look, .init = make)
{
	toy.objects = SHRINK_EMPTY;
	toy.counting = add_after_first_look;
	cr_expect_eq(toy_shrink(memcg, 0), 100);
	cr_expect(toy_bit(&toy, memcg));
}

Test(shrink, only_groups_with_the_bit, .init = make)
{
	struct mem_cgroup *other = mem_cgroup_create(NULL, "other");

	toy.objects = 100;
	cr_expect_eq(toy_shrink(other, 0), 0);
	cr_expect_eq(toy.counts, 0);
	cr_expect_null(other->shrinker_info, "it costs a group nothing");
	cr_expect_eq(toy_shrink(NULL, 0), 0);
	cr_expect_eq(toy.counts, 0);
}

Test(shrink, global, .init = make)
{
	struct toy global = {.objects = 1000};

	toy_start(&global, 0, "global");
	cr_expect_eq(toy_shrink(memcg, 0), 0);
	cr_expect_eq(toy_shrink(NULL, 3), 128);
	cr_expect_null(global.memcg);
	cr_expect_eq(toy_deferred(&global, NULL), 250 - 128);
	toy_end(&global);
	cr_expect_eq(toy_shrink(NULL, 0), 0);
}

Test(shrink, gfp, .init = make)
{
	struct shrink_scope scope = {.memcg = memcg, .share = SHRINK_WHOLE_SHARE};
	struct toy safe = {.objects = 10};

	toy.objects = 10;
	toy_start(&safe, SHRINKER_MEMCG_AWARE | SHRINKER_MALLOC_SAFE, "safe");
	set_shrinker_bit(memcg, safe.shrinker->id);

	scope.gfp = GFP_NOWAIT;
	cr_expect_eq(shrink_slab_memcg(&scope), 0);
	cr_expect_not(scope.skipped);
	scope.gfp = GFP_NOFS;
	cr_expect_eq(shrink_slab_memcg(&scope), 10);
	cr_expect(scope.skipped);
	cr_expect_eq(toy.counts, 0);
	cr_expect_eq(safe.objects, 0);

	scope.skipped = false;
	scope.gfp = GFP_KERNEL;
	cr_expect_eq(shrink_slab_memcg(&scope), 10);
	cr_expect_not(scope.skipped);
}

/* Protected objects count as if they were not there. */
Test(shrink, share, .init = make)
{
	struct shrink_scope scope = {
		.memcg = memcg, .gfp = GFP_KERNEL, .share = SHRINK_WHOLE_SHARE / 4};

	toy.objects = 4000;
	cr_expect_eq(shrink_slab_memcg(&scope), 896, "whole batches of 1000");
	cr_expect_eq(toy_deferred(&toy, memcg), 1000, "no more than that later");
	scope.share = 0;
	cr_expect_eq(shrink_slab_memcg(&scope), 0);
	cr_expect_eq(toy.objects, 3104);
}

static void shrink_again(struct toy *self, struct shrink_control *sc)
{
	(void)self;
	cr_expect_eq(toy_shrink(sc->memcg, 0), 0, "not within a callback");
}

Test(shrink, never_recurses, .init = make)
{
	toy.objects = 10;
	toy.during = shrink_again;
	cr_expect_eq(toy_shrink(memcg, 0), 10);
	cr_expect_eq(toy.scans, 1);
}
