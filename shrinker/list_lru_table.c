/* SPDX-License-Identifier: MIT */
#include "shrinker/list_lru_table.h"

#include "alloc/base/message.h"
#include "alloc/base/meta.h"
#include "shrinker/shrinker_info.h"

struct lru_leaf {
	struct lru_list *lists[1 << LRU_LEAF_BITS]; /* RCU; table->lock to write */
};

struct lru_branch {
	struct lru_leaf *leaves[1 << LRU_BRANCH_BITS]; /* likewise */
};

struct lru_list lru_list_above;

/* For a leaf and for a branch without memory: all of their groups do without lists. */
static struct lru_leaf leaf_above = {
	.lists = {[0 ...(1 << LRU_LEAF_BITS) - 1] = &lru_list_above},
};
static struct lru_branch branch_above = {
	.leaves = {[0 ...(1 << LRU_BRANCH_BITS) - 1] = &leaf_above},
};

static uint32_t leaf_slot(uint32_t small_id)
{
	return small_id % (1 << LRU_LEAF_BITS);
}

static uint32_t branch_slot(uint32_t small_id)
{
	return (small_id >> LRU_LEAF_BITS) % (1 << LRU_BRANCH_BITS);
}

static uint32_t table_slot(uint32_t small_id)
{
	return small_id >> (LRU_LEAF_BITS + LRU_BRANCH_BITS);
}

/* ---- Looking ------------------------------------------------------------ */

static struct lru_leaf *leaf_of(struct list_lru_table *table, uint32_t small_id)
{
	/* Both pair with make_leaf(). */
	struct lru_branch *branch = load_acquire(&table->branches[table_slot(small_id)]);

	return branch ? load_acquire(&branch->leaves[branch_slot(small_id)]) : NULL;
}

static struct lru_list *list_at(struct list_lru_table *table, uint32_t small_id)
{
	struct lru_leaf *leaf = leaf_of(table, small_id);

	/* Pairs with make_list() and list_lru_table_clear(). */
	return leaf ? load_acquire(&leaf->lists[leaf_slot(small_id)]) : NULL;
}

struct lru_list *list_lru_table_at(struct list_lru_table *table, uint32_t small_id)
{
	struct lru_list *list;

	if (small_id == memcg_small_id(&root_memcg))
		return &table->root;
	list = list_at(table, small_id);
	return list == &lru_list_above ? NULL : list;
}

uint32_t list_lru_table_next(struct list_lru_table *table, uint32_t small_id)
{
	const uint32_t leaf = 1 << LRU_LEAF_BITS, branch = leaf << LRU_BRANCH_BITS;

	if (small_id < memcg_small_id(&root_memcg))
		return memcg_small_id(&root_memcg);
	if (!table->by_group)
		return 0;
	for (small_id++; small_id <= MEMCG_SMALL_ID_MASK;) {
		if (!load_acquire(&table->branches[table_slot(small_id)]))
			small_id = (small_id | (branch - 1)) + 1;
		else if (!leaf_of(table, small_id))
			small_id = (small_id | (leaf - 1)) + 1;
		else
			return small_id;
	}
	return 0;
}

/* ---- Making ------------------------------------------------------------- */

static void init_list(struct lru_list *list, const struct mem_cgroup *memcg)
{
	lock_init(&list->lock, LOCK_RANK_LRU);
	list_init(&list->items);
	list->memcg_id = memcg->id;
}

/* Never NULL: what there is no memory for stays away for good. table->lock. */
static struct lru_leaf *make_leaf(struct list_lru_table *table, uint32_t small_id)
{
	struct lru_branch **branch = &table->branches[table_slot(small_id)];
	struct lru_leaf **leaf;

	if (!*branch) {
		struct lru_branch *new = meta_alloc(sizeof(*new));

		/* Pairs with leaf_of(). */
		store_release(branch, new ? new : &branch_above);
	}
	leaf = &(*branch)->leaves[branch_slot(small_id)];
	if (!*leaf) {
		struct lru_leaf *new = meta_alloc(sizeof(*new));

		store_release(leaf, new ? new : &leaf_above); /* likewise */
	}
	return *leaf;
}

static struct lru_list *alloc_list(struct list_lru_table *table, struct mem_cgroup *memcg)
{
	struct lru_list *list;

	if (shrinker_info_reserve(memcg, table->shrinker_id))
		return &lru_list_above;
	list = meta_alloc(sizeof(*list));
	if (!list)
		return &lru_list_above;
	init_list(list, memcg);
	return list;
}

/* table->lock. */
static struct lru_list *make_list(struct list_lru_table *table, struct mem_cgroup *memcg)
{
	uint32_t small_id = memcg_small_id(memcg);
	struct lru_list **slot = &make_leaf(table, small_id)->lists[leaf_slot(small_id)];

	if (!*slot)
		store_release(slot, alloc_list(table, memcg)); /* pairs with list_at() */
	return *slot;
}

/* From now on removal looks for lists of the group; false if it has done so. */
static bool note_lists(struct mem_cgroup *memcg)
{
	uint8_t state = LISTS_NONE;

	/* Pairs with the same in list_lrus_reparent(). */
	return cmpxchg_acq_rel(&memcg->lists, &state, (uint8_t)LISTS_SOME) || state != LISTS_GONE;
}

/*
 * Under the lock a group that is leaving, without a list, will have none: whoever
 * makes one sees under the same lock what we have seen.
 */
static struct lru_list *find_or_make(struct list_lru_table *table, struct mem_cgroup *memcg)
{
	struct lru_list *list;

	if (!note_lists(memcg))
		return &lru_list_above;
	lock(&table->lock);
	list = list_at(table, memcg_small_id(memcg));
	if (!list && load_acquire(&memcg->lists) == LISTS_SOME)
		list = make_list(table, memcg);
	unlock(&table->lock);
	return list ? list : &lru_list_above;
}

struct lru_list *list_lru_table_find(struct list_lru_table *table, struct mem_cgroup *memcg,
				     bool make)
{
	struct lru_list *list;

	if (memcg == &root_memcg || !table->by_group)
		return &table->root;
	list = list_at(table, memcg_small_id(memcg));
	if (likely(list)) {
		debug_assert(list == &lru_list_above || list->memcg_id == memcg->id);
		return list;
	}
	/*
	 * After the slot: what was cleared from there was passed on before. Pairs
	 * with list_lrus_reparent().
	 */
	switch (load_acquire(&memcg->lists)) {
	case LISTS_GONE:
		return &lru_list_above;
	case LISTS_LEAVING:
		return find_or_make(table, memcg);
	default:
		return make ? find_or_make(table, memcg) : NULL;
	}
}

struct lru_list *list_lru_table_last(struct list_lru_table *table, struct mem_cgroup *memcg)
{
	struct lru_list *list;

	lock(&table->lock); /* who is at it now is done, and who comes sees the state */
	list = list_at(table, memcg_small_id(memcg));
	unlock(&table->lock);
	return list;
}

/* ---- The end ------------------------------------------------------------ */

static void free_list(struct lru_list *list)
{
	if (list != &lru_list_above)
		meta_free(list, sizeof(*list));
}

static void free_list_rcu(struct rcu_head *rcu)
{
	free_list(container_of(rcu, struct lru_list, rcu));
}

void list_lru_table_clear(struct list_lru_table *table, struct mem_cgroup *memcg)
{
	uint32_t small_id = memcg_small_id(memcg);
	struct lru_leaf *leaf = leaf_of(table, small_id);
	struct lru_list **slot = &leaf->lists[leaf_slot(small_id)];
	struct lru_list *list;

	if (leaf == &leaf_above)
		return;
	lock(&table->lock);
	list = *slot;
	store_release(slot, NULL); /* pairs with list_at(): it was passed on before */
	unlock(&table->lock);
	if (list != &lru_list_above)
		call_rcu(&list->rcu, free_list_rcu);
}

struct list_lru_table *list_lru_table_alloc(bool by_group, int shrinker_id)
{
	struct list_lru_table *table = meta_alloc(sizeof(*table));

	if (!table)
		return NULL;
	lock_init(&table->lock, LOCK_RANK_LRU_TABLE);
	table->by_group = by_group;
	table->shrinker_id = shrinker_id;
	init_list(&table->root, &root_memcg);
	return table;
}

static void free_leaf(struct lru_leaf *leaf)
{
	if (!leaf || leaf == &leaf_above)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(leaf->lists); i++)
		if (leaf->lists[i])
			free_list(leaf->lists[i]);
	meta_free(leaf, sizeof(*leaf));
}

static void free_branch(struct lru_branch *branch)
{
	if (!branch || branch == &branch_above)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(branch->leaves); i++)
		free_leaf(branch->leaves[i]);
	meta_free(branch, sizeof(*branch));
}

void list_lru_table_free(struct list_lru_table *table)
{
	for (size_t i = 0; i < ARRAY_SIZE(table->branches); i++)
		free_branch(table->branches[i]);
	meta_free(table, sizeof(*table));
}
