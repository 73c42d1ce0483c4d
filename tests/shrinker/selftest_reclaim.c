/* SPDX-License-Identifier: MIT */
/* memory.reclaim, as test_memcontrol.c of the kernel tests it. */
#include <cgslab/slab.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>

#include "tests/shrinker/cg.h"
#include "tests/shrinker/hoard.h"

static struct mem_cgroup *memcg;
static struct hoard *hoard;
static struct pinned *pinned;

static void begin(void)
{
	hoards_begin(0);
	memcg = cg_create(NULL, "memcg");
	hoard = hoard_create(memcg);
}

static void end(void)
{
	unpin(&pinned);
	hoard_destroy(hoard);
	cg_destroy(memcg);
	hoards_end();
	cr_expect_eq(mem_cgroup_verify(mem_cgroup_root(), NULL), 0);
}

Test(reclaim, gets_where_it_is_told, .init = begin, .fini = end)
{
	cr_assert_eq(hoard_fill(hoard, MB(50), GFP_KERNEL), MB(50));
	cr_assert_eq(pin(memcg, MB(20), GFP_KERNEL, &pinned), MB(20));
	cr_expect(cg_reclaim_until(memcg, MB(30)), "%" PRIu64, cg_current(memcg));
	cr_expect_geq(cg_current(memcg), MB(29), "%" PRIu64, cg_current(memcg));
}

Test(reclaim, says_when_it_did_not, .init = begin, .fini = end)
{
	cr_assert_eq(hoard_fill(hoard, MB(5), GFP_KERNEL), MB(5));
	cr_assert_eq(pin(memcg, MB(20), GFP_KERNEL, &pinned), MB(20));
	cr_expect_eq(mem_cgroup_write(memcg, "memory.reclaim", "10M"), -EAGAIN);
	cr_expect_eq(hoard_objects(hoard), 0, "but did what it could");
	cr_expect_eq(mem_cgroup_write(memcg, "memory.reclaim", "4096"), -EAGAIN);
	cr_expect_eq(mem_cgroup_write(memcg, "memory.reclaim", "0"), 0);
}

Test(reclaim, of_a_group_without_anything, .init = begin, .fini = end)
{
	cr_expect_eq(mem_cgroup_write(memcg, "memory.reclaim", "1M"), -EAGAIN);
	cr_expect_eq(mem_cgroup_write(memcg, "memory.reclaim", "much"), -EINVAL);
	cr_expect_eq(mem_cgroup_write(memcg, "memory.reclaim", "-1M"), -EINVAL);
}

/* Of siblings each gives in proportion to what it has. */
Test(reclaim, is_fair, .init = begin, .fini = end)
{
	static const unsigned int mb[] = {10, 20, 40, 80};
	struct mem_cgroup *groups[4];
	struct hoard *hoards[4];
	char name[2] = "a";

	for (int i = 0; i < 4; i++, name[0]++) {
		groups[i] = cg_create(memcg, name);
		hoards[i] = hoard_create(groups[i]);
		cr_assert_eq(hoard_fill(hoards[i], MB(mb[i]), GFP_KERNEL), MB(mb[i]));
	}
	for (int i = 0; i < 75; i++)
		cr_expect_eq(mem_cgroup_write(memcg, "memory.reclaim", "1M"), 0);
	cr_expect(values_close(cg_current(memcg), MB(75), 3), "%" PRIu64, cg_current(memcg));
	for (int i = 0; i < 4; i++) {
		uint64_t left = cg_current(groups[i]);

		cr_expect(values_close(left, MB(mb[i]) / 2, 15), "%d: %" PRIu64, i, left);
		hoard_destroy(hoards[i]);
		cg_destroy(groups[i]);
	}
}
