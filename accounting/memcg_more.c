/* SPDX-License-Identifier: MIT */
#include "accounting/memcg_more.h"

#include "alloc/base/meta.h"

struct memcg_more *memcg_more(struct mem_cgroup *memcg)
{
	struct memcg_more *more = memcg_more_if_any(memcg), *none = NULL;

	if (more)
		return more;
	more = meta_alloc(sizeof(*more));
	if (!more)
		return NULL;
	list_init(&more->listeners);
	list_init(&more->peaks);
	/* Pairs with memcg_more_if_any(). Another thread may have been faster. */
	if (cmpxchg_acq_rel(&memcg->more, &none, more))
		return more;
	meta_free(more, sizeof(*more));
	return none;
}

void memcg_more_free(struct mem_cgroup *memcg)
{
	if (!memcg->more)
		return;
	memcg_drop_listeners(memcg->more);
	meta_free(memcg->more, sizeof(*memcg->more));
}

void memcg_more_fork_child(struct mem_cgroup *memcg)
{
	if (!memcg->more)
		return;
	memcg_oom_fork_child(&memcg->more->oom);
	memcg_drop_listeners(memcg->more);
}
