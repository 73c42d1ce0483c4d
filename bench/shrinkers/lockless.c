/* SPDX-License-Identifier: MIT */
/* The library's own. */
#include "bench/shrinkers/forest.h"
#include "shrinker/shrink.h"

static void init(const struct forest *forest, unsigned shrinkers)
{
	(void)forest;
	(void)shrinkers;
}

static struct shrinker *alloc(void)
{
	return shrinker_alloc(SHRINKER_MEMCG_AWARE, "bench");
}

static unsigned long shrink(struct mem_cgroup *memcg)
{
	struct shrink_scope scope = {.memcg = memcg,
				     .gfp = GFP_KERNEL,
				     .priority = PRIORITY,
				     .share = SHRINK_WHOLE_SHARE};

	return shrink_slab_memcg(&scope);
}

const struct scheme lockless = {
	.init = init,
	.alloc = alloc,
	.add = shrinker_register,
	.remove = shrinker_free,
	.set_bit = set_shrinker_bit,
	.shrink = shrink,
};
