/* SPDX-License-Identifier: MIT */
/*
 * memory.min and memory.low, as test_memcontrol.c of the kernel tests them:
 *
 *	A	min or low = 50M, max = 200M
 *	A/B	50M
 *	A/B/C	75M, current 50M
 *	A/B/D	25M, current 50M
 *	A/B/E	0,   current 50M
 *	A/B/F	500M, current 0
 *	A/G	takes 148M that nobody can reclaim
 *
 * What C, D and E use are hoards. Then B has 50M left, of which C has 29M and D 21M; and
 * another 170M are refused where min protects B, and leave it 30M where low does.
 */
#include <cgslab/slab.h>
#include <criterion/criterion.h>
#include <inttypes.h>

#include "tests/shrinker/cg.h"
#include "tests/shrinker/hoard.h"

enum { C, D, E, F, CHILDREN };

static struct mem_cgroup *a, *b, *g, *children[CHILDREN];
static struct hoard *hoards[CHILDREN];
static struct pinned *pinned;

static void make_tree(const char *file)
{
	static const char *const names[] = {"C", "D", "E", "F"};
	static const char *const protection[] = {"75M", "25M", "0", "500M"};

	a = cg_create(NULL, "A");
	b = cg_create(a, "B");
	g = cg_create(a, "G");
	cg_write(a, "memory.max", "200M");
	cg_write(a, file, "50M");
	cg_write(b, file, "50M");
	for (int i = 0; i < CHILDREN; i++) {
		children[i] = cg_create(b, names[i]);
		cg_write(children[i], file, protection[i]);
		hoards[i] = hoard_create(children[i]);
	}
	for (int i = C; i <= E; i++)
		cr_assert_eq(hoard_fill(hoards[i], MB(50), GFP_KERNEL), MB(50));
	cr_expect(values_close(cg_current(b), MB(150), 3), "%" PRIu64, cg_current(b));
}

static void destroy_tree(void)
{
	for (int i = 0; i < CHILDREN; i++) {
		hoard_destroy(hoards[i]);
		cg_destroy(children[i]);
	}
	cg_destroy(g);
	cg_destroy(b);
	cg_destroy(a);
	cr_expect_eq(mem_cgroup_verify(mem_cgroup_root(), NULL), 0);
}

/* What G takes, as long as it has it. */
static uint64_t press(uint64_t bytes)
{
	uint64_t got = pin(g, bytes, GFP_KERNEL, &pinned);

	cr_expect_leq(cg_current(a), MB(200));
	return got;
}

static void expect_fair_shares(void)
{
	uint64_t current[CHILDREN];

	for (int i = 0; i < CHILDREN; i++)
		current[i] = cg_current(children[i]);
	cr_expect(values_close(cg_current(b), MB(50), 3), "B %" PRIu64, cg_current(b));
	cr_expect(values_close(current[C], MB(29), 15), "C %" PRIu64, current[C]);
	cr_expect(values_close(current[D], MB(21), 20), "D %" PRIu64, current[D]);
	cr_expect_leq(current[E], MB(1), "E %" PRIu64, current[E]);
	cr_expect_eq(current[F], 0, "F %" PRIu64, current[F]);
}

static void fill_g(void)
{
	cr_expect_eq(press(MB(148)), MB(148));
	expect_fair_shares();
	unpin(&pinned);
	expect_fair_shares();
}

/* The group that is reclaimed has no protection from that. */
static void reclaim_c(void)
{
	cr_expect(cg_reclaim_until(children[C], MB(10)), "C %" PRIu64, cg_current(children[C]));
}

Test(protection, min)
{
	hoards_begin(0);
	make_tree("memory.min");
	fill_g();
	cr_expect_lt(press(MB(170)), MB(170), "min gives nothing");
	cr_expect_geq(cg_read_key(a, "memory.events", "max"), 1);
	cr_expect_eq(cg_read_key(b, "memory.events", "low"), 0);
	expect_fair_shares();
	unpin(&pinned);
	reclaim_c();
	destroy_tree();
	hoards_end();
}

Test(protection, low)
{
	hoards_begin(0);
	make_tree("memory.low");
	fill_g();
	cr_expect_eq(cg_read_key(b, "memory.events", "low"), 0, "so far it was respected");
	cr_expect_eq(press(MB(170)), MB(170), "low gives before anybody is refused");
	cr_expect(values_close(cg_current(b), MB(30), 3), "B %" PRIu64, cg_current(b));
	unpin(&pinned);
	for (int i = 0; i < CHILDREN; i++) {
		uint64_t low = cg_read_key(children[i], "memory.events", "low");

		cr_expect_eq(cg_read_key(children[i], "memory.events", "oom"), 0);
		/* What B has and C and D do not ask for protects some of E, or all that is left. */
		if (i != E)
			cr_expect_eq(low > 0, i != F, "%d: %" PRIu64, i, low);
	}
	reclaim_c();
	destroy_tree();
	hoards_end();
}
