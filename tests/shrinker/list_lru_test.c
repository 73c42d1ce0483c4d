/* SPDX-License-Identifier: MIT */
/* Lists of objects by group: what is on them, who gets what is left, who is told. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>

#include <cgslab/slab.h>

#include "accounting/memalloc.h"
#include "alloc/base/meta.h"
#include "shrinker/list_lru.h"
#include "shrinker/list_lru_table.h"
#include "tests/shrinker/toy.h"
#include "tests/slab/child.h"

#define ENTRIES 10

struct entry {
	struct list_head lru;
	int nr;
	enum lru_status status; /* what the callback says to it */
};

static struct mem_cgroup *top, *group, *below;
static struct toy toy;
static struct list_lru lru;
static struct entry *entries[ENTRIES];

static struct entry *entry_of(struct list_head *item)
{
	return container_of(item, struct entry, lru);
}

static struct entry *new_entry(struct mem_cgroup *memcg, int nr)
{
	struct mem_cgroup *old = set_active_memcg(memcg);
	struct entry *entry = kmalloc(sizeof(*entry), GFP_KERNEL);

	set_active_memcg(old);
	cr_assert(entry);
	list_init(&entry->lru);
	entry->nr = nr;
	entry->status = LRU_REMOVED;
	return entry;
}

static void make(void)
{
	top = mem_cgroup_create(NULL, "top");
	group = mem_cgroup_create(top, "group");
	below = mem_cgroup_create(group, "below");
	cr_assert(top && group && below);
	toy_start(&toy, SHRINKER_MEMCG_AWARE, "toy");
	cr_assert_eq(list_lru_init_memcg(&lru, toy.shrinker), 0);
	for (int i = 0; i < ENTRIES; i++)
		entries[i] = new_entry(group, i);
}

static void make_simple(void)
{
	cr_assert_eq(list_lru_init(&lru), 0);
	for (int i = 0; i < ENTRIES; i++)
		entries[i] = new_entry(NULL, i);
}

static void add_all(struct mem_cgroup *memcg)
{
	for (int i = 0; i < ENTRIES; i++)
		cr_assert(list_lru_add(&lru, &entries[i]->lru, 0, memcg));
}

/* As if by the program: the thread leaves no stock and no heap in the way. */
static void expect_gone(struct mem_cgroup *memcg)
{
	cr_assert_eq(mem_cgroup_rmdir(memcg), 0);
	mem_cgroup_put(memcg);
}

/* ---- Walking ------------------------------------------------------------ */

struct seen {
	int nr[64];
	int n;
};

static enum lru_status see(struct list_head *item, struct list_lru_one *list, void *arg)
{
	struct seen *seen = arg;
	struct entry *entry = entry_of(item);

	cr_assert(memalloc_is_noreclaim());
	seen->nr[seen->n++] = entry->nr;
	if (entry->status == LRU_REMOVED || entry->status == LRU_REMOVED_RETRY)
		list_lru_isolate(list, item);
	if (entry->status == LRU_RETRY || entry->status == LRU_REMOVED_RETRY) {
		list_lru_unlock(list);
		entry->status = LRU_SKIP;
		return seen->n % 2 ? LRU_RETRY : LRU_REMOVED_RETRY;
	}
	return entry->status;
}

/* Whether the walk saw those, up to a negative one. */
static void expect_walk(struct mem_cgroup *memcg, unsigned long nr, unsigned long isolated,
			const int *expected)
{
	struct seen seen = {.n = 0};
	int n = 0;

	cr_expect_eq(list_lru_walk_one(&lru, 0, memcg, see, &seen, &nr), isolated);
	for (; expected[n] >= 0; n++)
		cr_expect_eq(seen.nr[n], expected[n], "%d: %d", n, seen.nr[n]);
	cr_expect_eq(seen.n, n);
	cr_expect(!memalloc_is_noreclaim());
}

#define EXPECT_WALK(memcg, nr, isolated, ...)                                                      \
	expect_walk(memcg, nr, isolated, (const int[]){__VA_ARGS__ __VA_OPT__(, ) - 1})

Test(list_lru, oldest_first, .init = make_simple)
{
	add_all(NULL);
	cr_expect_eq(list_lru_count(&lru), ENTRIES);
	EXPECT_WALK(NULL, 3, 3, 0, 1, 2);
	cr_expect_eq(list_lru_count(&lru), ENTRIES - 3);
	cr_expect(list_lru_add(&lru, &entries[1]->lru, 0, NULL));
	EXPECT_WALK(NULL, 100, 8, 3, 4, 5, 6, 7, 8, 9, 1);
	EXPECT_WALK(NULL, 100, 0);
	cr_expect_eq(list_lru_count(&lru), 0);
}

Test(list_lru, once_on_a_list, .init = make_simple)
{
	struct list_head *item = &entries[0]->lru;

	cr_expect(!list_lru_del(&lru, item, 0, NULL));
	cr_expect(list_lru_add(&lru, item, 0, NULL));
	cr_expect(!list_lru_add(&lru, item, 0, NULL));
	cr_expect_eq(list_lru_count(&lru), 1);
	cr_expect(list_lru_del(&lru, item, 0, NULL));
	cr_expect(!list_lru_del(&lru, item, 0, NULL));
	cr_expect_eq(list_lru_count(&lru), 0);
}

Test(list_lru, groups_are_ignored_without_memcg, .init = make)
{
	struct list_lru simple;

	cr_assert_eq(list_lru_init(&simple), 0);
	cr_expect(list_lru_add(&simple, &entries[0]->lru, 0, group));
	cr_expect_eq(list_lru_count_one(&simple, 0, below), 1);
	cr_expect(list_lru_del(&simple, &entries[0]->lru, 0, top));
	cr_expect(!toy_bit(&toy, group));
	list_lru_destroy(&simple);
	list_lru_destroy(&simple);
}

Test(list_lru, statuses, .init = make_simple)
{
	add_all(NULL);
	entries[0]->status = LRU_ROTATE;
	entries[1]->status = LRU_SKIP;
	entries[3]->status = LRU_STOP;
	EXPECT_WALK(NULL, 100, 1, 0, 1, 2, 3);
	entries[3]->status = LRU_REMOVED;
	entries[0]->status = LRU_REMOVED;
	EXPECT_WALK(NULL, 100, 8, 1, 3, 4, 5, 6, 7, 8, 9, 0);
	EXPECT_WALK(NULL, 100, 0, 1);
}

/* From the oldest again, and each look counts. */
Test(list_lru, statuses_without_the_lock, .init = make_simple)
{
	add_all(NULL);
	entries[0]->status = LRU_RETRY;
	entries[2]->status = LRU_REMOVED_RETRY;
	EXPECT_WALK(NULL, 7, 4, 0, 0, 1, 2, 0, 3, 4);
	EXPECT_WALK(NULL, 100, 5, 0, 5, 6, 7, 8, 9);
	EXPECT_WALK(NULL, 1, 0, 0);
}

/* It says that the lock was dropped, and has not done so. */
static enum lru_status say_retry(struct list_head *item, struct list_lru_one *list, void *arg)
{
	unsigned int *calls = arg;

	++*calls;
	if (*calls % 2)
		return LRU_RETRY;
	list_lru_isolate(list, item);
	return LRU_REMOVED_RETRY;
}

Test(list_lru, retry_with_the_lock_held, .init = make_simple)
{
	unsigned int calls = 0;

	add_all(NULL);
	cr_expect_eq(list_lru_walk(&lru, say_retry, &calls, 100), ENTRIES);
	cr_expect_eq(calls, 2 * ENTRIES);
	cr_expect(list_lru_add(&lru, &entries[0]->lru, 0, NULL));
}

static enum lru_status dispose(struct list_head *item, struct list_lru_one *list, void *head)
{
	list_lru_isolate_move(list, item, head);
	return LRU_REMOVED;
}

Test(list_lru, dispose, .init = make)
{
	struct shrink_control sc = {.memcg = group, .nr_to_scan = 4};
	struct list_head head = LIST_HEAD_INIT(head);
	struct entry *entry, *next;
	int nr = 4;

	add_all(group);
	cr_expect_eq(list_lru_shrink_count(&lru, &sc), ENTRIES);
	cr_expect_eq(list_lru_shrink_walk(&lru, &sc, dispose, &head), 4);
	cr_expect_eq(sc.nr_to_scan, 0);
	cr_expect_eq(list_lru_shrink_count(&lru, &sc), ENTRIES - 4);
	list_for_each_entry_safe (entry, next, &head, lru) {
		cr_expect_eq(entry->nr, --nr);
		kfree(entry);
	}
	cr_expect_eq(nr, 0);
}

static enum lru_status free_it(struct list_head *item, struct list_lru_one *list, void *arg)
{
	(void)arg;
	list_lru_isolate(list, item);
	kfree(entry_of(item));
	kfree(kmalloc(100, GFP_KERNEL)); /* it may allocate, too */
	return LRU_REMOVED;
}

Test(list_lru, walk_all_groups, .init = make)
{
	struct entry *other = new_entry(below, 0), *outside = new_entry(NULL, 0);
	unsigned long nr = 5;

	cr_expect(list_lru_add_obj(&lru, &other->lru));
	cr_expect(list_lru_add(&lru, &outside->lru, 0, NULL));
	add_all(group);
	cr_expect_eq(list_lru_count(&lru), ENTRIES + 2);
	cr_expect_eq(list_lru_walk_node(&lru, 0, free_it, NULL, &nr), 5);
	cr_expect_eq(nr, 0);
	cr_expect_eq(list_lru_walk(&lru, free_it, NULL, 1000), ENTRIES - 3);
	cr_expect_eq(list_lru_count(&lru), 0);
	cr_expect_eq(mem_cgroup_verify(mem_cgroup_root(), NULL), 0);
}

/* ---- Broken rules ------------------------------------------------------- */

static enum lru_status add_here(struct list_head *item, struct list_lru_one *list, void *arg)
{
	(void)list;
	(void)arg;
	list_lru_add(&lru, item, 0, NULL);
	return LRU_SKIP;
}

Test(list_lru, use_of_the_list_in_its_callback, .init = make_simple, .signal = SIGABRT)
{
	add_all(NULL);
	list_lru_walk(&lru, add_here, NULL, 1);
}

static enum lru_status lie(struct list_head *item, struct list_lru_one *list, void *arg)
{
	(void)item;
	(void)list;
	(void)arg;
	return LRU_REMOVED;
}

Test(list_lru, removed_and_not_isolated, .init = make_simple, .signal = SIGABRT)
{
	add_all(NULL);
	list_lru_walk(&lru, lie, NULL, 1);
}

static enum lru_status isolate_late(struct list_head *item, struct list_lru_one *list, void *arg)
{
	(void)arg;
	list_lru_unlock(list);
	list_lru_isolate(list, item);
	return LRU_REMOVED_RETRY;
}

Test(list_lru, isolated_without_the_lock, .init = make_simple, .signal = SIGABRT)
{
	add_all(NULL);
	list_lru_walk(&lru, isolate_late, NULL, 1);
}

/* ---- Groups ------------------------------------------------------------- */

Test(list_lru, each_group_has_its_own, .init = make)
{
	struct entry *other = new_entry(below, 42);

	cr_expect_eq(list_lru_count_one(&lru, 0, group), 0);
	add_all(group);
	cr_expect_eq(list_lru_count_one(&lru, 0, group), ENTRIES);
	cr_expect_eq(list_lru_count_one(&lru, 0, below), 0);
	cr_expect(list_lru_add_obj(&lru, &other->lru));
	cr_expect_eq(list_lru_count_one(&lru, 0, below), 1);
	cr_expect_eq(list_lru_count_one(&lru, 0, top), 0);
	cr_expect_eq(list_lru_count_one(&lru, 0, NULL), 0);
	EXPECT_WALK(below, 100, 1, 42);
	EXPECT_WALK(top, 100, 0);
}

/* With the first item of an empty list, in its group and no other. */
Test(list_lru, bits, .init = make)
{
	cr_expect(!toy_bit(&toy, group));
	cr_expect(list_lru_add_obj(&lru, &entries[0]->lru));
	cr_expect(toy_bit(&toy, group));
	cr_expect(!toy_bit(&toy, top));
	cr_expect(!toy_bit(&toy, below));
	cr_expect(!toy_bit(&toy, mem_cgroup_root()));

	/* The shrinker finds nothing, and the bit goes. */
	cr_expect(list_lru_del_obj(&lru, &entries[0]->lru));
	toy.objects = SHRINK_EMPTY;
	toy_shrink(group, 0);
	cr_expect(!toy_bit(&toy, group));
	cr_expect(list_lru_add_obj(&lru, &entries[0]->lru));
	cr_expect(toy_bit(&toy, group));

	cr_expect(list_lru_add(&lru, &entries[1]->lru, 0, NULL));
	cr_expect(toy_bit(&toy, mem_cgroup_root()));
}

Test(list_lru, by_object, .init = make)
{
	static struct entry outside;
	struct mem_cgroup *old = set_active_memcg(below);
	struct entry *span = kmalloc(1 << 20, GFP_KERNEL);

	set_active_memcg(old);
	list_init(&outside.lru);
	list_init(&span->lru);
	rcu_read_lock();
	cr_expect_eq(mem_cgroup_from_obj(entries[0]), group);
	cr_expect_eq(mem_cgroup_from_obj(&entries[0]->nr), group);
	cr_expect_eq(mem_cgroup_from_obj(span), below);
	cr_expect_eq(mem_cgroup_from_obj(&outside), NULL);
	cr_expect_eq(mem_cgroup_from_obj(NULL), NULL);
	rcu_read_unlock();
	cr_expect(list_lru_add_obj(&lru, &span->lru));
	cr_expect(list_lru_add_obj(&lru, &outside.lru));
	cr_expect_eq(list_lru_count_one(&lru, 0, below), 1);
	cr_expect_eq(list_lru_count_one(&lru, 0, mem_cgroup_root()), 1);
	cr_expect(list_lru_del_obj(&lru, &span->lru));
	cr_expect(list_lru_del_obj(&lru, &outside.lru));
	cr_expect_eq(list_lru_count(&lru), 0);
}

/* ---- Removal ------------------------------------------------------------ */

/* In front of what the parent has. Whoever has the group still finds what is its. */
Test(list_lru, rmdir_passes_items_on, .init = make)
{
	struct entry *own = new_entry(group, 100), *first = new_entry(below, 1),
		     *second = new_entry(below, 2), *third = new_entry(below, 3);

	cr_expect(list_lru_add_obj(&lru, &own->lru));
	cr_expect(list_lru_add_obj(&lru, &first->lru));
	cr_expect(list_lru_add_obj(&lru, &second->lru));
	cr_expect(list_lru_add(&lru, &third->lru, 0, below));
	cr_assert_eq(mem_cgroup_rmdir(below), 0);
	cr_expect_eq(list_lru_count_one(&lru, 0, below), 0);
	cr_expect_eq(list_lru_count_one(&lru, 0, group), 4);
	EXPECT_WALK(below, 100, 0);

	cr_expect(list_lru_del_obj(&lru, &second->lru));
	cr_expect(list_lru_del(&lru, &third->lru, 0, below));
	cr_expect(list_lru_add(&lru, &third->lru, 0, below));
	cr_expect_eq(list_lru_count_one(&lru, 0, group), 3);
	mem_cgroup_put(below);
	EXPECT_WALK(group, 100, 3, 1, 100, 3);
}

Test(list_lru, rmdir_sets_the_bit_of_the_parent, .init = make)
{
	struct entry *entry = new_entry(below, 1);

	cr_expect(list_lru_add_obj(&lru, &entry->lru));
	cr_expect(!toy_bit(&toy, group));
	expect_gone(below);
	cr_expect(toy_bit(&toy, group));
	cr_expect(!toy_bit(&toy, top));
	expect_gone(group);
	cr_expect(toy_bit(&toy, top));
	EXPECT_WALK(top, 100, 1, 1);
}

/* Whatever else passes the bits of a group on. */
Test(list_lru, passing_on_sets_the_bit, .init = make)
{
	cr_expect(list_lru_add(&lru, &entries[0]->lru, 0, below));
	list_lrus_reparent(below, false);
	cr_expect_eq(list_lru_count_one(&lru, 0, group), 1);
	cr_expect(toy_bit(&toy, group));
	expect_gone(below);
}

/* The parent's bit, for an item that is added for the child: that is the list it is on. */
Test(list_lru, bit_of_the_list_that_is_used, .init = make)
{
	struct entry *entry = new_entry(group, 1);

	cr_assert_eq(mem_cgroup_rmdir(below), 0);
	cr_expect(list_lru_add(&lru, &entry->lru, 0, below));
	cr_expect(toy_bit(&toy, group));
	cr_expect(!toy_bit(&toy, below));
	cr_expect_eq(list_lru_count_one(&lru, 0, group), 1);
	mem_cgroup_put(below);
}

/* One that never had a list has none when it is gone. */
Test(list_lru, rmdir_without_lists, .init = make)
{
	cr_assert_eq(mem_cgroup_rmdir(below), 0);
	cr_expect_eq(below->lists, LISTS_GONE);
	cr_expect(!list_lru_del(&lru, &entries[0]->lru, 0, below));
	cr_expect_eq(list_lru_count_one(&lru, 0, below), 0);
	mem_cgroup_put(below);
}

/* The number of the group is another's then. */
Test(list_lru, small_ids_are_used_again, .init = make)
{
	uint32_t small_id = memcg_small_id(below);
	struct entry *entry = new_entry(below, 1);

	cr_expect(list_lru_add_obj(&lru, &entry->lru));
	expect_gone(below);
	for (int i = 0; i < 10; i++) {
		rcu_barrier();
		below = mem_cgroup_create(top, "again");
		cr_assert(below);
		if (memcg_small_id(below) == small_id)
			break;
	}
	cr_assert_eq(memcg_small_id(below), small_id);
	cr_expect_eq(list_lru_count_one(&lru, 0, below), 0);
	cr_expect(!toy_bit(&toy, below));
	entry = new_entry(below, 2);
	cr_expect(list_lru_add_obj(&lru, &entry->lru));
	cr_expect(toy_bit(&toy, below));
	EXPECT_WALK(below, 100, 1, 2);
	EXPECT_WALK(group, 100, 1, 1);
}

Test(list_lru, kill_drops_items, .init = make)
{
	struct entry *inner = new_entry(below, 1), *outer = new_entry(top, 2);

	cr_expect(list_lru_add_obj(&lru, &inner->lru));
	cr_expect(list_lru_add_obj(&lru, &outer->lru));
	add_all(group);
	cr_assert_eq(mem_cgroup_kill(group, MEMCG_KILL_WIPE), 0);
	cr_expect_eq(list_lru_count(&lru), 1);
	EXPECT_WALK(group, 100, 0);
	EXPECT_WALK(below, 100, 0);
	EXPECT_WALK(top, 100, 1, 2);
	/* An item of another's for the group: it goes to the one above. */
	cr_expect(list_lru_add(&lru, &outer->lru, 0, below));
	cr_expect_eq(list_lru_count_one(&lru, 0, top), 1);
	mem_cgroup_put(below);
	mem_cgroup_put(group);
}

/* ---- Memory ------------------------------------------------------------- */

static bool no_memory; /* for anything of ours */

/* In the place of meta_alloc(); see BUILD. */
void *__real_meta_alloc(size_t size);
void *__wrap_meta_alloc(size_t size);

void *__wrap_meta_alloc(size_t size)
{
	return no_memory ? NULL : __real_meta_alloc(size);
}

static void add_without_memory(struct entry *entry)
{
	bool added;

	no_memory = true;
	added = list_lru_add_obj(&lru, &entry->lru);
	no_memory = false;
	cr_expect(added);
}

/* The parent keeps it, and all that follow, for as long as the group lives. */
Test(list_lru, no_memory_for_a_list, .init = make)
{
	struct entry *entry = new_entry(below, 1), *later = new_entry(below, 2);

	add_all(group);
	add_without_memory(entry);
	cr_expect_eq(list_lru_count_one(&lru, 0, below), 0);
	cr_expect_eq(list_lru_count_one(&lru, 0, group), ENTRIES + 1);
	cr_expect(list_lru_add_obj(&lru, &later->lru));
	cr_expect_eq(list_lru_count_one(&lru, 0, group), ENTRIES + 2);
	cr_expect(list_lru_del_obj(&lru, &entry->lru));
	expect_gone(below);
	cr_expect(list_lru_del_obj(&lru, &later->lru));
	cr_expect_eq(list_lru_count_one(&lru, 0, group), ENTRIES);
}

/* Not even for the table, where all groups nearby have no lists then; the root has. */
Test(list_lru, no_memory_for_a_table, .init = make)
{
	struct entry *entry = new_entry(below, 1);

	add_without_memory(entry);
	cr_expect_eq(list_lru_count_one(&lru, 0, mem_cgroup_root()), 1);
	cr_expect(toy_bit(&toy, mem_cgroup_root()));
	cr_expect(list_lru_add_obj(&lru, &entries[0]->lru));
	cr_expect_eq(list_lru_count_one(&lru, 0, mem_cgroup_root()), 2);
	expect_gone(below);
	expect_gone(group);
	cr_expect(list_lru_del_obj(&lru, &entry->lru));
	cr_expect_eq(list_lru_count(&lru), 1);
	list_lru_destroy(&lru);
}

/* Those on the parent's list are found there. */
Test(list_lru, kill_without_a_list, .init = make)
{
	struct entry *entry = new_entry(below, 1);

	add_all(group);
	add_without_memory(entry);
	cr_assert_eq(mem_cgroup_kill(below, MEMCG_KILL_WIPE), 0);
	mem_cgroup_put(below);
	cr_expect_eq(list_lru_count_one(&lru, 0, group), ENTRIES);
	EXPECT_WALK(group, 100, ENTRIES, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9);
}

/* The same of items that lie elsewhere: whose they are, the owner of the list_lru knows. */
static struct entry apart[2];

static struct mem_cgroup *group_of_apart(struct list_head *item)
{
	return entry_of(item) == &apart[0] ? below : group;
}

Test(list_lru, kill_without_a_list_of_items_apart, .init = make)
{
	struct list_lru other;

	cr_assert_eq(list_lru_init_apart(&other, toy.shrinker, group_of_apart), 0);
	list_init(&apart[0].lru);
	list_init(&apart[1].lru);
	cr_expect(list_lru_add(&other, &apart[1].lru, 0, group));
	no_memory = true;
	cr_expect(list_lru_add(&other, &apart[0].lru, 0, below));
	no_memory = false;
	cr_expect_eq(list_lru_count_one(&other, 0, group), 2);
	cr_assert_eq(mem_cgroup_kill(below, 0), 0);
	mem_cgroup_put(below);
	cr_expect_eq(list_lru_count_one(&other, 0, group), 1);
	cr_expect(list_lru_del(&other, &apart[1].lru, 0, group));
	list_lru_destroy(&other);
}

/* A callback that puts its item elsewhere: the walk goes on with the one that came next. */
static enum lru_status swap_with_next(struct list_head *item, struct list_lru_one *list, void *arg)
{
	struct list_head *next = item->next;

	(*(int *)arg)++;
	if (next == list_lru_items(list))
		return LRU_SKIP;
	list_del_init(item);
	list_add(item, next);
	return LRU_SKIP;
}

Test(list_lru, items_are_put_elsewhere, .init = make)
{
	int looks = 0;

	add_all(group);
	cr_expect_eq(list_lru_walk(&lru, swap_with_next, &looks, 1), 0);
	cr_expect_eq(looks, 1);
	EXPECT_WALK(group, 100, ENTRIES, 1, 0, 2, 3, 4, 5, 6, 7, 8, 9);
}

/* Lists of groups that are gone, of groups that are there, and the table. */
Test(list_lru, memory_comes_back, .init = make)
{
	size_t used = 0;

	list_lru_destroy(&lru);
	for (int round = 0; round < 3; round++) {
		struct mem_cgroup *memcg = mem_cgroup_create(top, "passing");

		cr_assert_eq(list_lru_init_memcg(&lru, toy.shrinker), 0);
		cr_expect(list_lru_add(&lru, &entries[0]->lru, 0, group));
		cr_expect(list_lru_add(&lru, &entries[1]->lru, 0, memcg));
		expect_gone(memcg);
		cr_expect(list_lru_del(&lru, &entries[1]->lru, 0, top));
		cr_expect(list_lru_del(&lru, &entries[0]->lru, 0, group));
		list_lru_destroy(&lru);
		rcu_barrier();
		if (round)
			cr_expect_eq(meta_used(), used);
		used = meta_used();
	}
}

/* ---- fork --------------------------------------------------------------- */

static int stopped;

static enum lru_status look(struct list_head *item, struct list_lru_one *list, void *arg)
{
	(void)arg;
	if (entry_of(item)->nr % 2)
		return LRU_ROTATE;
	list_lru_isolate(list, item);
	return LRU_REMOVED;
}

/* Its lists are always in someone's hands. */
static void *walk_and_fill(void *arg)
{
	(void)arg;
	while (!__atomic_load_n(&stopped, __ATOMIC_RELAXED)) {
		for (int i = 0; i < ENTRIES; i++)
			list_lru_add_obj(&lru, &entries[i]->lru);
		list_lru_walk(&lru, look, NULL, ENTRIES);
	}
	return NULL;
}

static void use_in_child(void)
{
	for (int i = 0; i < ENTRIES; i++)
		list_lru_add_obj(&lru, &entries[i]->lru);
	CHILD_CHECK(list_lru_count(&lru) == ENTRIES);
	CHILD_CHECK(list_lru_walk(&lru, look, NULL, ENTRIES) == ENTRIES / 2);
	CHILD_CHECK(!mem_cgroup_rmdir(below));
	CHILD_CHECK(!mem_cgroup_rmdir(group));
	CHILD_CHECK(list_lru_count_one(&lru, 0, top) == ENTRIES / 2);
	child_verify();
}

Test(list_lru, fork_amid_walks, .init = make)
{
	pthread_t threads[2];

	for (int i = 0; i < 2; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, walk_and_fill, NULL), 0);
	for (int i = 0; i < 20; i++)
		cr_expect_eq(child_run(fork, use_in_child), 0);
	__atomic_store_n(&stopped, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < 2; i++)
		cr_assert_eq(pthread_join(threads[i], NULL), 0);
}
