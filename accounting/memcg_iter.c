/* SPDX-License-Identifier: MIT */
/*
 * Walks over the groups of a subtree, in pre-order, without a lock.
 *
 * Walks with a cookie share one position, kept in their root. It is weak: it
 * pins nothing, so a group that was removed goes at once, wherever a walk was
 * abandoned. All of it is one word, root->iter:
 *
 *	last_visited	small id of the group returned last; 0: none in this generation
 *	generation	of the walk; a new one begins when the last has seen all
 *	dead_count	removals in the subtree
 *
 *   mem_cgroup_iter()                     mem_cgroup_rmdir()
 *   ------------------------------        ------------------------------
 *   rcu_read_lock                         lock(cgroup_lock)
 *   load root->iter (acquire)             online = false: tryget_online fails
 *   last_visited -> group                 for the group and each ancestor:
 *   next = the online group behind it         compare-and-swap its iter:
 *   tryget_online(next)                         dead_count + 1, and
 *   compare-and-swap root->iter:                last_visited, if it is the
 *       last_visited = next                     group: the one before it
 *       same dead_count                     unlock(cgroup_lock)
 *   rcu_read_unlock                       put; a grace period; free
 *
 * Whoever loads the word finds a last_visited that is online, or in the middle
 * of its removal, so it cannot be freed before the end of the read section.
 * And who found @next before it was removed fails to swap, as dead_count has
 * changed, and starts over. Of two who load the same word one swaps it, so no
 * group is returned twice in a generation.
 *
 * The position steps back, and the walk does not start over from the root: the
 * group before a leaf in pre-order is followed by what followed the leaf. Where
 * groups come and go all the time, no walk would ever get to the end otherwise.
 */
#include "accounting/memcg_iter.h"

/* @next or the first behind it that is online, with a reference. RCU. */
static struct mem_cgroup *get_online(struct mem_cgroup *next, struct mem_cgroup *root)
{
	while (next && !mem_cgroup_tryget_online(next))
		next = memcg_next(next, root);
	return next;
}

static struct mem_cgroup *next_after(struct mem_cgroup *pos, struct mem_cgroup *root)
{
	return get_online(pos ? memcg_next(pos, root) : root, root);
}

/* ---- A walk of one's own ------------------------------------------------ */

static struct mem_cgroup *own_step(struct mem_cgroup *root, struct mem_cgroup *prev)
{
	struct mem_cgroup *next;

	rcu_read_lock();
	next = next_after(prev, root);
	rcu_read_unlock();
	return next;
}

/* ---- A shared walk ------------------------------------------------------ */

struct mem_cgroup *memcg_iter_find(struct mem_cgroup *root, union memcg_iter *old)
{
	struct mem_cgroup *pos = NULL, *next;

	rcu_read_lock();
	old->word =
		load_acquire(&root->iter); /* pairs with memcg_iter_try_advance() and step_back() */
	if (old->last_visited)
		pos = memcg_by_small_id(old->last_visited);
	next = next_after(pos, root);
	rcu_read_unlock();
	return next;
}

bool memcg_iter_try_advance(struct mem_cgroup *root, union memcg_iter old, struct mem_cgroup *next)
{
	union memcg_iter new = old;

	if (next) {
		new.last_visited = memcg_small_id(next);
	} else {
		new.last_visited = 0;
		new.generation++;
	}
	return cmpxchg_release(&root->iter, &old.word, new.word); /* pairs with memcg_iter_find() */
}

static struct mem_cgroup *shared_step(struct mem_cgroup *root, bool first,
				      struct mem_cgroup_reclaim_cookie *cookie)
{
	struct mem_cgroup *next;
	union memcg_iter old;

	for (;;) {
		next = memcg_iter_find(root, &old);
		if (!first && READ_ONCE(cookie->generation) != old.generation) {
			mem_cgroup_put(next);
			return NULL; /* the walk it took part in is over */
		}
		if (!memcg_iter_try_advance(root, old, next)) {
			mem_cgroup_put(next);
			continue; /* raced */
		}
		if (first)
			WRITE_ONCE(cookie->generation, old.generation);
		/* Who comes in at the very end joins the next walk. */
		if (next || !first || !old.last_visited)
			return next;
	}
}

/* ---- Removal ------------------------------------------------------------ */

static struct mem_cgroup *online_before(struct list_head *node, const struct list_head *end)
{
	for (; node != end; node = node->prev) {
		struct mem_cgroup *memcg = container_of(node, struct mem_cgroup, sibling);

		if (memcg->online)
			return memcg;
	}
	return NULL;
}

/* The online group before a removed one, in pre-order. cgroup_lock. */
static struct mem_cgroup *memcg_before(struct mem_cgroup *dead)
{
	struct list_head *siblings = &dead->parent->children;
	struct mem_cgroup *pos = online_before(dead->sibling.prev, siblings);
	struct mem_cgroup *last;

	if (!pos)
		return dead->parent;
	while ((last = online_before(pos->children.prev, &pos->children)))
		pos = last;
	return pos;
}

/* The walk from @root steps back from @dead, if it is there, and is told. */
static void step_back(struct mem_cgroup *root, struct mem_cgroup *dead)
{
	union memcg_iter new, old = {.word = READ_ONCE(root->iter)};

	do {
		new = old;
		new.dead_count++;
		if (old.last_visited == memcg_small_id(dead))
			new.last_visited = root == dead ? 0 : memcg_small_id(memcg_before(dead));
		/* Pairs with memcg_iter_find(): who sees the new word sees that @dead is not
		 * online. */
	} while (!cmpxchg_release(&root->iter, &old.word, new.word));
}

void memcg_invalidate_iters(struct mem_cgroup *dead)
{
	for (struct mem_cgroup *root = dead; root; root = root->parent)
		step_back(root, dead);
}

/* ---- The API ------------------------------------------------------------ */

struct mem_cgroup *mem_cgroup_iter(struct mem_cgroup *root, struct mem_cgroup *prev,
				   struct mem_cgroup_reclaim_cookie *cookie)
{
	struct mem_cgroup *next;

	root = root ? root : &root_memcg;
	next = cookie ? shared_step(root, !prev, cookie) : own_step(root, prev);
	mem_cgroup_put(prev);
	return next;
}

void mem_cgroup_iter_break(struct mem_cgroup *root, struct mem_cgroup *prev)
{
	(void)root;
	mem_cgroup_put(prev);
}

int mem_cgroup_walk(struct mem_cgroup *root, int (*fn)(struct mem_cgroup *memcg, void *arg),
		    void *arg)
{
	struct mem_cgroup *pos = NULL;

	while ((pos = mem_cgroup_iter(root, pos, NULL))) {
		int ret = fn(pos, arg);

		if (ret) {
			mem_cgroup_iter_break(root, pos);
			return ret;
		}
	}
	return 0;
}
