/* SPDX-License-Identifier: MIT */
/* What groups know of shrinkers, while these come and go, and so do groups. */
#include <criterion/criterion.h>
#include <errno.h>

#include "alloc/base/meta.h"
#include "shrinker/shrinker_info.h"
#include "tests/shrinker/toy.h"

#define TOYS (4 * SHRINKER_UNIT_IDS)

static struct mem_cgroup *parent, *memcg;
static struct toy toys[TOYS];

static void make(void)
{
	parent = mem_cgroup_create(NULL, "parent");
	memcg = mem_cgroup_create(parent, "group");
	cr_assert(parent && memcg);
	for (int i = 0; i < TOYS; i++)
		toy_start(&toys[i], SHRINKER_MEMCG_AWARE, "toy");
}

static unsigned int units(void)
{
	return memcg->shrinker_info ? memcg->shrinker_info->nr : 0;
}

static void defer(struct toy *toy, struct mem_cgroup *group, unsigned long nr)
{
	struct shrinker_info_unit *unit =
		shrinker_info_next(group, (uint32_t)toy->shrinker->id / SHRINKER_UNIT_IDS);

	shrinker_defer(group, &unit->slots[toy->shrinker->id % SHRINKER_UNIT_IDS],
		       shrinker_body(toy->shrinker), nr);
}

/* ---- Growing --------------------------------------------------------------- */

Test(info, only_what_is_used, .init = make)
{
	cr_expect_eq(units(), 0, "no bit, no memory");
	set_shrinker_bit(memcg, toys[TOYS - 1].shrinker->id);
	cr_expect_eq(units(), 1);
	set_shrinker_bit(memcg, toys[TOYS - 2].shrinker->id);
	cr_expect_eq(units(), 1);
	set_shrinker_bit(memcg, toys[0].shrinker->id);
	cr_expect_eq(units(), 2);
	cr_expect_eq(shrinker_info_reserve(memcg, toys[SHRINKER_UNIT_IDS].shrinker->id), 0);
	cr_expect_eq(units(), 3);
	cr_expect_not(toy_bit(&toys[SHRINKER_UNIT_IDS], memcg));
	cr_expect_null(parent->shrinker_info);
}

/* In every order, and what was there before stays. */
Test(info, grows, .init = make)
{
	for (int step = 1; step < TOYS; step += 2) { /* odd, so it comes to all of them */
		struct mem_cgroup *one = mem_cgroup_create(NULL, "one");
		unsigned long freed = 0;

		for (int i = 0; i < TOYS; i++) {
			struct toy *toy = &toys[i * step % TOYS];

			set_shrinker_bit(one, toy->shrinker->id);
			defer(toy, one, 1 + (unsigned long)i);
			toy->objects = 1;
		}
		for (int i = 0; i < TOYS; i++) {
			struct toy *toy = &toys[i * step % TOYS];

			cr_expect(toy_bit(toy, one));
			cr_expect_eq(toy_deferred(toy, one), 1 + (unsigned long)i);
		}
		cr_expect_eq(one->shrinker_info->nr, TOYS / SHRINKER_UNIT_IDS);
		for (uint32_t i = 0; i < one->shrinker_info->nr; i++)
			cr_expect_eq(one->shrinker_info->units[i].index, i);
		freed = toy_shrink(one, 0);
		cr_expect_eq(freed, TOYS, "%lu", freed);
		cr_assert_eq(mem_cgroup_rmdir(one), 0);
		mem_cgroup_put(one);
	}
}

static void grow_twice(struct toy *toy, struct shrink_control *sc)
{
	(void)toy;
	set_shrinker_bit(sc->memcg, toys[SHRINKER_UNIT_IDS].shrinker->id);
	set_shrinker_bit(sc->memcg, toys[3 * SHRINKER_UNIT_IDS].shrinker->id);
	rcu_barrier(); /* the old infos are gone */
}

/* What is deferred at the end of the callback is found in the new info. */
Test(info, grows_during_a_callback, .init = make)
{
	struct toy *toy = &toys[0];

	set_shrinker_bit(memcg, toy->shrinker->id);
	toy->objects = 1000;
	toy->stop = true;
	toy->during = grow_twice;
	for (int i = 1; i < 4; i++)
		toys[i * SHRINKER_UNIT_IDS].objects = 10;
	cr_expect_eq(toy_shrink(memcg, 2), 0);
	cr_expect_eq(units(), 3);
	cr_expect_eq(toy_deferred(toy, memcg), 500);
	/* The walk went on in the new one. */
	cr_expect_eq(toys[SHRINKER_UNIT_IDS].counts, 1);
	cr_expect_eq(toys[2 * SHRINKER_UNIT_IDS].counts, 0);
	cr_expect_eq(toys[3 * SHRINKER_UNIT_IDS].counts, 1);
}

Test(info, memory_comes_back, .init = make)
{
	size_t used;

	for (int i = 0; i < 3; i++) {
		struct mem_cgroup *one = mem_cgroup_create(parent, "one");

		if (i == 2)
			used = meta_used();
		for (int j = 0; j < TOYS; j++)
			set_shrinker_bit(one, toys[j].shrinker->id);
		cr_assert_eq(mem_cgroup_rmdir(one), 0);
		mem_cgroup_put(one);
		rcu_barrier();
		if (i == 1)
			used = meta_used();
	}
	cr_expect_leq(meta_used(), used);
}

/* ---- Where to look --------------------------------------------------------- */

/* A walk is as long as there are bits, not as there were. */
Test(info, units_without_bits_are_passed_over, .init = make)
{
	for (int i = 0; i < TOYS; i++) {
		toys[i].objects = SHRINK_EMPTY;
		set_shrinker_bit(memcg, toys[i].shrinker->id);
	}
	cr_expect_eq(memcg->shrinker_units, 0xf);
	toys[1].objects = toys[TOYS - 1].objects = 10;
	cr_expect_eq(toy_shrink(memcg, 0), 20);
	cr_expect_eq(memcg->shrinker_units, 0x9);
	toys[1].objects = toys[TOYS - 1].objects = SHRINK_EMPTY;
	cr_expect_eq(toy_shrink(memcg, 0), 0);
	cr_expect_eq(memcg->shrinker_units, 0);
	cr_expect_null(shrinker_info_next_set(memcg, 0));

	toys[40].objects = 10;
	cr_expect_eq(toy_shrink(memcg, 0), 0, "it has not been told");
	set_shrinker_bit(memcg, toys[40].shrinker->id);
	cr_expect_eq(shrinker_info_next_set(memcg, 0)->index, 40 / SHRINKER_UNIT_IDS);
	cr_expect_eq(toy_shrink(memcg, 0), 10);
}

/* An object that comes while the last bit of the unit is being cleared. */
static void add_at_second_count(struct toy *toy, struct shrink_control *sc)
{
	(void)sc;
	if (toy->counts == 2)
		toy->objects = 10;
}

Test(info, the_second_look_sets_it_again, .init = make)
{
	toys[20].objects = SHRINK_EMPTY;
	toys[20].counting = add_at_second_count;
	set_shrinker_bit(memcg, toys[20].shrinker->id);
	cr_expect_eq(toy_shrink(memcg, 0), 10);
	cr_expect(toy_bit(&toys[20], memcg));
	cr_expect_eq(memcg->shrinker_units, 1ul << 20 / SHRINKER_UNIT_IDS);
}

/* The word has a bit for all that it has no bits for. */
Test(info, more_units_than_bits)
{
	static struct toy many[1200];

	memcg = mem_cgroup_create(NULL, "group");
	for (int i = 0; i < 1200; i++) {
		toy_start(&many[i], SHRINKER_MEMCG_AWARE, "one of many");
		many[i].objects = SHRINK_EMPTY;
	}
	for (int i = 990; i < 1200; i++)
		set_shrinker_bit(memcg, many[i].shrinker->id);
	many[1000].objects = many[1007].objects = many[1008].objects = many[1100].objects =
		many[1199].objects = 1;
	cr_expect_eq(toy_shrink(memcg, 0), 5);
	cr_expect_eq(toy_shrink(memcg, 0), 0, "they count 0, and keep their bits");
	many[1100].objects = 3;
	cr_expect_eq(toy_shrink(memcg, 0), 3);
	many[1101].objects = 4;
	set_shrinker_bit(memcg, many[1101].shrinker->id);
	cr_expect_eq(toy_shrink(memcg, 0), 4);
}

/* ---- Ids that pass on ------------------------------------------------------- */

/* The next with the id of @toy. */
static void replace(struct toy *toy)
{
	int id = toy->shrinker->id;
	struct toy next = {.objects = 100};

	toy_end(toy);
	toy_start(&next, SHRINKER_MEMCG_AWARE, "next");
	cr_assert_eq(next.shrinker->id, id);
	*toy = next;
	toy->shrinker->private_data = toy;
}

Test(info, the_next_inherits_nothing, .init = make)
{
	struct toy *toy = &toys[5];

	set_shrinker_bit(memcg, toy->shrinker->id);
	toy->objects = 1000;
	toy->keep = true;
	for (int i = 0; i < 10; i++)
		toy_shrink(memcg, 0); /* nothing is freed, so it backs off */
	toy->scans = 0;
	toy_shrink(memcg, 1);
	cr_expect_eq(toy->scans, 0);
	defer(toy, memcg, 4711);

	replace(toy);
	cr_expect(toy_bit(toy, memcg), "which does no harm");
	cr_expect_eq(toy_deferred(toy, memcg), 0);
	cr_expect_eq(toy_shrink(memcg, 1), 100, "no backing off either");
	defer(toy, memcg, 1);
	cr_expect_eq(toy_deferred(toy, memcg), 1);
}

/* Nobody else clears them. */
Test(info, bits_of_the_dead, .init = make)
{
	struct toy *toy = &toys[5];
	int id = toy->shrinker->id;

	set_shrinker_bit(memcg, id);
	toy_end(toy);
	cr_expect_eq(shrinker_info_next(memcg, 0)->map, 1u << id % SHRINKER_UNIT_IDS);
	cr_expect_eq(toy_shrink(memcg, 0), 0);
	cr_expect_eq(shrinker_info_next(memcg, 0)->map, 0);
}

Test(info, bits_before_registration, .init = make)
{
	struct shrinker *early = shrinker_alloc(SHRINKER_MEMCG_AWARE, "early");
	struct toy *model = &toys[0];

	set_shrinker_bit(memcg, early->id);
	cr_expect_eq(toy_shrink(memcg, 0), 0);
	early->count_objects = model->shrinker->count_objects;
	early->scan_objects = model->shrinker->scan_objects;
	early->private_data = model;
	model->objects = 3;
	shrinker_register(early);
	cr_expect_eq(toy_shrink(memcg, 0), 3, "the bit is there still");
}

/* ---- Groups that go ---------------------------------------------------------- */

Test(info, passes_to_the_parent, .init = make)
{
	set_shrinker_bit(memcg, toys[1].shrinker->id);
	set_shrinker_bit(memcg, toys[2].shrinker->id);
	set_shrinker_bit(parent, toys[2].shrinker->id);
	defer(&toys[1], memcg, 10);
	defer(&toys[2], memcg, 20);
	defer(&toys[2], parent, 300);
	cr_expect_eq(mem_cgroup_rmdir(memcg), 0);
	cr_expect_eq(toy_deferred(&toys[1], parent), 10);
	cr_expect_eq(toy_deferred(&toys[2], parent), 320);
	cr_expect(toy_bit(&toys[1], parent));
	cr_expect_eq(toy_deferred(&toys[1], memcg), 0);
	/* Whoever is late. */
	defer(&toys[1], memcg, 5);
	cr_expect_eq(toy_deferred(&toys[1], memcg), 0);
	cr_expect_eq(toy_deferred(&toys[1], parent), 15);
	cr_expect_eq(toy_shrink(memcg, 0), 0);
	cr_expect_eq(toys[1].counts, 0, "nothing is asked of a group that went");
}

/* What was the last shrinker's with that id is nobody's. */
Test(info, passes_on_no_stale_count, .init = make)
{
	set_shrinker_bit(memcg, toys[1].shrinker->id);
	defer(&toys[1], memcg, 10);
	replace(&toys[1]);
	defer(&toys[1], memcg, 1);
	defer(&toys[1], memcg, 2);
	toy_end(&toys[2]);
	cr_expect_eq(mem_cgroup_rmdir(memcg), 0);
	cr_expect_eq(toy_deferred(&toys[1], parent), 3);
}

static void remove_group(struct toy *toy, struct shrink_control *sc)
{
	(void)toy;
	(void)sc;
	cr_expect_eq(mem_cgroup_rmdir(memcg), 0);
}

Test(info, group_goes_during_a_callback, .init = make)
{
	struct toy *toy = &toys[7];

	set_shrinker_bit(memcg, toy->shrinker->id);
	toy->objects = 1000;
	toy->stop = true;
	toy->during = remove_group;
	cr_expect_eq(toy_shrink(memcg, 2), 0);
	cr_expect_eq(toy_deferred(toy, memcg), 0);
	cr_expect_eq(toy_deferred(toy, parent), 500);
	mem_cgroup_put(memcg);
	rcu_barrier();
}

/* A bit for who has gone for good: nothing is made that nobody would free. */
Test(info, after_the_last_reference, .init = make)
{
	size_t used;

	rcu_read_lock();
	cr_assert_eq(mem_cgroup_tryget(memcg), true);
	rcu_read_unlock();
	cr_assert_eq(mem_cgroup_rmdir(memcg), 0);
	rcu_read_lock();
	mem_cgroup_put(memcg);
	mem_cgroup_put(memcg);
	used = meta_used();
	set_shrinker_bit(memcg, toys[0].shrinker->id);
	cr_expect_eq(meta_used(), used);
	cr_expect_eq(shrinker_info_reserve(memcg, toys[0].shrinker->id), -ENOMEM);
	rcu_read_unlock();
}
