/* SPDX-License-Identifier: MIT */
/*
 * Caches are created and destroyed while threads of the same groups are at
 * work, with constructors and without, and with objects that others free; and
 * objects go by RCU.
 */
#include <sched.h>
#include <string.h>

#include <cgslab/slab.h>

#include "alloc/base/rcu.h"
#include "tests/stress/check.h"
#include "tests/stress/crew.h"
#include "tests/stress/deadline.h"
#include "tests/stress/pattern.h"
#include "tests/stress/quiet.h"

#define GROUPS	2
#define PLACES	200
#define OBJECTS 100
#define BUILT	0x6275696c74ull
#define LIMIT	(4ul << 20)

static struct mem_cgroup *groups[GROUPS];
static unsigned long destroyed, seen_by_rcu;

/* ---- Blocks of kmalloc() that threads free for each other --------------- */

struct block {
	struct rcu_head rcu;
	size_t size;
	uint64_t owner;
};

static struct block *blocks[PLACES];

static void block_check(struct block *block)
{
	pattern_check(block + 1, block->size - sizeof(*block), block->owner);
}

static void exchange_blocks(unsigned int place, struct random *random)
{
	set_active_memcg(groups[place % GROUPS]);
	for (int i = 0; i < 3000; i++) {
		size_t size = sizeof(struct block) + random_size(random, 80000);
		struct block *block = kmalloc(size, GFP_KERNEL);

		if (block) {
			block->size = size;
			block->owner = pattern_owner();
			pattern_fill(block + 1, size - sizeof(*block), block->owner);
		}
		block = __atomic_exchange_n(&blocks[random_below(random, PLACES)], block,
					    __ATOMIC_ACQ_REL);
		if (!block)
			continue;
		block_check(block);
		if (random_chance(random, 4))
			kfree_rcu(block, rcu);
		else
			kfree(block);
	}
}

/* ---- A cache that lives as long as the program -------------------------- */

/*
 * Under RCU an object may be another one by now, or free, but it is always one
 * of this cache: built stays as the constructor left it.
 */
struct node {
	uint64_t built;
	uint64_t number;
};

static struct kmem_cache *node_cache;
static struct node *nodes[PLACES]; /* RCU */

static void node_build(void *object)
{
	struct node *node = object;

	node->built = BUILT;
	node->number = 0;
}

static void exchange_nodes(unsigned int place, struct random *random)
{
	set_active_memcg(groups[place % GROUPS]);
	for (int i = 0; i < 5000; i++) {
		struct node **slot = &nodes[random_below(random, PLACES)];
		struct node *node = NULL;

		if (random_chance(random, 2)) {
			node = kmem_cache_alloc(node_cache, GFP_KERNEL);
			CHECK(!node || node->built == BUILT, "built %lx",
			      (unsigned long)node->built);
		}
		if (node)
			__atomic_store_n(&node->number, pattern_owner(), __ATOMIC_RELAXED);
		node = __atomic_exchange_n(slot, node, __ATOMIC_ACQ_REL);
		if (node)
			kmem_cache_free(node_cache, node);
		if (random_chance(random, 500))
			kmem_cache_shrink(node_cache);
	}
}

static void look_at_nodes(unsigned int place, struct random *random)
{
	unsigned long seen = 0;

	(void)place;
	for (int i = 0; i < 20000; i++) {
		struct node *node;

		rcu_read_lock();
		node = __atomic_load_n(&nodes[random_below(random, PLACES)], __ATOMIC_ACQUIRE);
		for (int j = 0; node && j < 5; j++, seen++)
			CHECK(node->built == BUILT, "built %lx", (unsigned long)node->built);
		rcu_read_unlock();
	}
	__atomic_add_fetch(&seen_by_rcu, seen, __ATOMIC_RELAXED);
}

/* ---- Caches that come and go -------------------------------------------- */

/* What a thread gives to another to free. */
struct batch {
	struct kmem_cache *cache;
	void *objects[OBJECTS];
	int nr;
	int done; /* atomic */
};

static struct batch *offered; /* atomic */

static void object_build(void *object)
{
	memset(object, 0x5a, 8);
}

static void batch_free(struct batch *batch)
{
	kmem_cache_free_bulk(batch->cache, (size_t)batch->nr, batch->objects);
	__atomic_store_n(&batch->done, 1, __ATOMIC_RELEASE);
}

/* Gives the batch to a thread that takes one, or frees it itself. */
static void batch_hand_over(struct batch *batch)
{
	struct batch *none = NULL;

	if (!__atomic_compare_exchange_n(&offered, &none, batch, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_RELAXED)) {
		batch_free(batch);
		return;
	}
	for (int i = 0; i < 100 && !__atomic_load_n(&batch->done, __ATOMIC_ACQUIRE); i++)
		sched_yield();
	none = batch;
	if (__atomic_compare_exchange_n(&offered, &none, NULL, false, __ATOMIC_ACQ_REL,
					__ATOMIC_RELAXED))
		batch_free(batch);
	while (!__atomic_load_n(&batch->done, __ATOMIC_ACQUIRE))
		sched_yield();
}

static void take_batch(void)
{
	struct batch *batch = __atomic_exchange_n(&offered, NULL, __ATOMIC_ACQ_REL);

	if (batch)
		batch_free(batch);
}

static void use_cache(struct random *random, struct kmem_cache *cache, unsigned int size,
		      uint64_t built)
{
	struct batch batch = {.cache = cache};

	for (int i = 0; i < OBJECTS; i++) {
		char *object = kmem_cache_alloc(cache, GFP_KERNEL);

		if (!object)
			break;
		if (built)
			CHECK(!memcmp(object, &built, sizeof(built)), "not built");
		pattern_fill(object + 8, size - 8, (uintptr_t)&batch);
		batch.objects[batch.nr++] = object;
	}
	for (int i = 0; i < batch.nr; i++)
		pattern_check((char *)batch.objects[i] + 8, size - 8, (uintptr_t)&batch);
	if (random_chance(random, 2))
		batch_hand_over(&batch);
	else
		batch_free(&batch);
}

static void build_caches(unsigned int place, struct random *random)
{
	for (int i = 0; i < 50; i++) {
		unsigned int size = 8 + random_below(random, random_chance(random, 4) ? 9000 : 300);
		slab_flags_t flags = random_chance(random, 4) ? SLAB_TYPESAFE_BY_RCU : 0;
		uint64_t built = random_chance(random, 2) ? 0x5a5a5a5a5a5a5a5aull : 0;
		struct kmem_cache *cache;

		set_active_memcg(groups[(place + random_below(random, 2)) % GROUPS]);
		cache = kmem_cache_create("passing", size, 0, flags, built ? object_build : NULL);
		CHECK(cache, "no cache");
		use_cache(random, cache, size, built);
		take_batch();
		use_cache(random, cache, size, built);
		/* The slabs may be in another's hands when the cache goes. */
		if (random_chance(random, 2))
			set_active_memcg(groups[random_below(random, GROUPS)]);
		CHECK(!kmem_cache_destroy(cache), "a cache without objects is not destroyed");
		__atomic_add_fetch(&destroyed, 1, __ATOMIC_RELAXED);
	}
}

static void free_all(void)
{
	for (int i = 0; i < PLACES; i++) {
		if (blocks[i])
			block_check(blocks[i]);
		kfree(blocks[i]);
		if (nodes[i])
			kmem_cache_free(node_cache, nodes[i]);
	}
}

int main(int argc, char **argv)
{
	static const struct crew crews[] = {{2, exchange_blocks},
					    {2, exchange_nodes},
					    {1, look_at_nodes},
					    {3, build_caches},
					    {0, NULL}};

	deadline_start(argc, argv);
	node_cache =
		kmem_cache_create("node", sizeof(struct node), 0, SLAB_TYPESAFE_BY_RCU, node_build);
	for (int i = 0; i < GROUPS; i++) {
		char name[] = {(char)('a' + i), '\0'};

		groups[i] = mem_cgroup_create(NULL, name);
		mem_cgroup_set_max(groups[i], LIMIT);
	}
	crew_run(crews, quiet_watch);

	crew_run_once(free_all);
	CHECK(!kmem_cache_destroy(node_cache), "nodes are left");
	for (int i = 0; i < GROUPS; i++) {
		CHECK(!mem_cgroup_rmdir(groups[i]), "rmdir of group %d", i);
		mem_cgroup_put(groups[i]);
	}
	quiet_end();
	printf("%lu caches destroyed, %lu looks\n", destroyed, seen_by_rcu);
	return 0;
}
