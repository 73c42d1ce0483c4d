/* SPDX-License-Identifier: MIT */
/*
 * A server with three tenants, each of which caches what it is asked for.
 *
 *	/process/server		memory.max 48M
 *		gold		memory.min 20M		keeps its working set, come what may
 *		silver		memory.low 8M		keeps that much while others can spare
 *		bronze		memory.max 12M		never has more
 *
 * gold is alone at first. Then silver and bronze ask for far more than there is room
 * for, and each allocation takes from the caches what it needs: from bronze's own at its
 * limit, and at the server's from those of all three, but for what is protected. The
 * library chooses the group and calls the shrinker below.
 *
 *	cache_server [--seconds N] [--unprotected]
 *
 * prints what happens twice a second. Fails if a group ever was above its limit, if an
 * allocation was refused, or if gold's hit rate fell; which it does with --unprotected.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cgslab/list.h>
#include <cgslab/list_lru.h>
#include <cgslab/memcg.h>
#include <cgslab/slab.h>

#define TENANTS 3
#define BUCKETS 65536
#define MOST	4 /* a hit rate may fall by so many percent */

/* ---- The cache --------------------------------------------------------------- */

struct entry {
	struct list_head lru; /* the library's */
	struct entry *next;   /* tenant->lock */
	struct tenant *tenant;
	atomic_bool referenced; /* since it was last looked at */
	uint32_t key, size;
	unsigned char value[];
};

struct tenant {
	const char *name, *file, *limit; /* what is written to it */
	uint32_t keys;			 /* it is asked for these, at random */
	int burst;			 /* so many, and then it pauses */
	struct mem_cgroup *memcg;
	pthread_mutex_t lock;
	struct entry *buckets[BUCKETS]; /* lock */
	atomic_ulong gets, hits, refused, evicted;
	double rate;   /* of hits, in the last half second */
	double alone;  /* the last one before the others came */
	double lowest; /* since then */
};

static struct tenant tenants[TENANTS] = {
	{.name = "gold", .file = "memory.min", .limit = "20M", .keys = 4000, .burst = 5},
	{.name = "silver", .file = "memory.low", .limit = "8M", .keys = 10000, .burst = 50},
	{.name = "bronze", .file = "memory.max", .limit = "12M", .keys = 40000, .burst = 50},
};
static struct mem_cgroup *server;
static struct list_lru lru;

static struct entry **find(struct tenant *tenant, uint32_t key)
{
	struct entry **pos = &tenant->buckets[key % BUCKETS];

	while (*pos && (*pos)->key != key)
		pos = &(*pos)->next;
	return pos;
}

/* ---- The shrinker: all that the cache has to do for it --------------------------- */

static unsigned long count(struct shrinker *shrinker, struct shrink_control *sc)
{
	unsigned long entries = list_lru_shrink_count(&lru, sc);

	(void)shrinker;
	return entries ? entries : SHRINK_EMPTY;
}

/* With the list locked: others lock a tenant first, and then the list. */
static enum lru_status isolate(struct list_head *item, struct list_lru_one *list, void *dispose)
{
	struct entry *entry = list_entry(item, struct entry, lru);
	struct tenant *tenant = entry->tenant;

	if (atomic_exchange(&entry->referenced, false))
		return LRU_ROTATE;
	if (pthread_mutex_trylock(&tenant->lock))
		return LRU_SKIP;
	*find(tenant, entry->key) = entry->next;
	list_lru_isolate_move(list, item, dispose);
	pthread_mutex_unlock(&tenant->lock);
	return LRU_REMOVED;
}

static unsigned long scan(struct shrinker *shrinker, struct shrink_control *sc)
{
	struct list_head dispose;
	unsigned long freed;

	(void)shrinker;
	INIT_LIST_HEAD(&dispose);
	freed = list_lru_shrink_walk(&lru, sc, isolate, &dispose);
	while (!list_empty(&dispose)) {
		struct entry *entry = list_first_entry(&dispose, struct entry, lru);

		list_del_init(&entry->lru);
		entry->tenant->evicted++;
		kfree(entry);
	}
	return freed;
}

static struct shrinker *start_shrinker(void)
{
	struct shrinker *shrinker = shrinker_alloc(SHRINKER_MEMCG_AWARE, "cache");

	if (!shrinker || list_lru_init_memcg(&lru, shrinker))
		abort();
	shrinker->count_objects = count;
	shrinker->scan_objects = scan;
	shrinker_register(shrinker);
	return shrinker;
}

/* ---- Requests ------------------------------------------------------------------ */

/* 1 to 8 KiB, 4.5 on average. */
static uint32_t size_of(uint32_t key)
{
	return 1024 + key * 2654435761u % (7 * 1024);
}

/* Whether it was there. */
static bool look_up(struct tenant *tenant, uint32_t key)
{
	struct entry *entry;

	pthread_mutex_lock(&tenant->lock);
	entry = *find(tenant, key);
	if (entry) {
		entry->referenced = true;
		if (entry->value[0] != (unsigned char)key ||
		    entry->value[entry->size - 1] != (unsigned char)key)
			abort();
	}
	pthread_mutex_unlock(&tenant->lock);
	return entry;
}

/* No lock is held here: the allocation may call the shrinker. */
static struct entry *make_entry(struct tenant *tenant, uint32_t key)
{
	uint32_t size = size_of(key);
	struct entry *entry = kmalloc(sizeof(*entry) + size, GFP_KERNEL);

	if (!entry)
		return NULL;
	INIT_LIST_HEAD(&entry->lru);
	entry->tenant = tenant;
	entry->referenced = false;
	entry->key = key;
	entry->size = size;
	memset(entry->value, (int)key, size);
	return entry;
}

static void insert(struct tenant *tenant, struct entry *entry)
{
	struct entry **pos;

	pthread_mutex_lock(&tenant->lock);
	pos = find(tenant, entry->key);
	entry->next = *pos;
	*pos = entry;
	list_lru_add_obj(&lru, &entry->lru); /* on the list of the group that is charged */
	pthread_mutex_unlock(&tenant->lock);
}

static void get(struct tenant *tenant, uint32_t key)
{
	struct entry *entry;

	tenant->gets++;
	if (look_up(tenant, key)) {
		tenant->hits++;
		return;
	}
	entry = make_entry(tenant, key);
	if (entry)
		insert(tenant, entry);
	else
		tenant->refused++;
}

static atomic_bool stopped;

/* The thread of a tenant. */
static void *serve(void *arg)
{
	struct tenant *tenant = arg;
	uint64_t random = (uintptr_t)arg | 1;

	set_active_memcg(tenant->memcg);
	while (!stopped) {
		for (int i = 0; i < tenant->burst; i++) {
			random ^= random << 13;
			random ^= random >> 7;
			random ^= random << 17;
			get(tenant, (uint32_t)(random >> 32) % tenant->keys);
		}
		usleep(500);
	}
	set_active_memcg(NULL);
	return NULL;
}

/* ---- What is seen ---------------------------------------------------------------- */

static double mib(uint64_t bytes)
{
	return (double)bytes / (1 << 20);
}

static void note_rate(struct tenant *tenant)
{
	unsigned long gets = atomic_exchange(&tenant->gets, 0);
	unsigned long hits = atomic_exchange(&tenant->hits, 0);

	if (!gets)
		return;
	tenant->rate = 100.0 * (double)hits / (double)gets;
	if (tenant->rate < tenant->lowest)
		tenant->lowest = tenant->rate;
}

static void print_header(void)
{
	printf("%6s  %6s", "second", "server");
	for (int i = 0; i < TENANTS; i++)
		printf("  |  %6s  %5s  %7s", tenants[i].name, "hits", "evicted");
	printf("\n");
}

static void print_row(double second)
{
	printf("%6.1f  %5.1fM", second, mib(mem_cgroup_usage(server)));
	for (int i = 0; i < TENANTS; i++)
		printf("  |  %5.1fM  %4.0f%%  %7lu", mib(mem_cgroup_usage(tenants[i].memcg)),
		       tenants[i].rate, (unsigned long)tenants[i].evicted);
	printf("\n");
	fflush(stdout);
}

/* Half a second after the other, until @to. */
static void watch(double from, double to)
{
	for (double second = from; second < to; second += 0.5) {
		usleep(500000);
		for (int i = 0; i < TENANTS; i++)
			note_rate(&tenants[i]);
		print_row(second + 0.5);
	}
}

/* ---- What must hold ---------------------------------------------------------------- */

static bool is_within(struct mem_cgroup *memcg)
{
	if (mem_cgroup_peak(memcg) <= mem_cgroup_max(memcg))
		return true;
	printf("%s was above its limit: %.1fM of %.1fM\n", mem_cgroup_name(memcg),
	       mib(mem_cgroup_peak(memcg)), mib(mem_cgroup_max(memcg)));
	return false;
}

static bool all_is_well(void)
{
	struct tenant *gold = &tenants[0];
	bool well = is_within(server);

	for (int i = 0; i < TENANTS; i++) {
		well = is_within(tenants[i].memcg) && well;
		if (!tenants[i].refused)
			continue;
		printf("%s: %lu allocations were refused\n", tenants[i].name,
		       (unsigned long)tenants[i].refused);
		well = false;
	}
	if (gold->lowest < gold->alone - MOST) {
		printf("gold's hit rate fell from %.0f%% to %.0f%%\n", gold->alone, gold->lowest);
		well = false;
	}
	if (well)
		printf("gold hit %.0f%% alone and %.0f%% in company; no limit was passed\n",
		       gold->alone, gold->lowest);
	return well;
}

/* ---- Beginning and end ---------------------------------------------------------------- */

static void make_groups(bool protect)
{
	server = mem_cgroup_create(NULL, "server");
	if (!server || mem_cgroup_write(server, "memory.max", "48M"))
		abort();
	for (int i = 0; i < TENANTS; i++) {
		struct tenant *tenant = &tenants[i];

		pthread_mutex_init(&tenant->lock, NULL);
		tenant->memcg = mem_cgroup_create(server, tenant->name);
		if (!tenant->memcg)
			abort();
		if (!protect && strcmp(tenant->file, "memory.max"))
			continue;
		if (mem_cgroup_write(tenant->memcg, tenant->file, tenant->limit))
			abort();
	}
}

static pthread_t start(struct tenant *tenant)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, serve, tenant))
		abort();
	return thread;
}

static void run(double seconds)
{
	double alone = seconds / 4;
	pthread_t threads[TENANTS];

	print_header();
	threads[0] = start(&tenants[0]);
	watch(0, alone);
	tenants[0].alone = tenants[0].lowest = tenants[0].rate;
	for (int i = 1; i < TENANTS; i++)
		threads[i] = start(&tenants[i]);
	watch(alone, seconds);
	stopped = true;
	for (int i = 0; i < TENANTS; i++)
		pthread_join(threads[i], NULL);
}

/* The whole tree goes, with all that was cached in it. */
static void end(struct shrinker *shrinker)
{
	shrinker_free(shrinker);
	mem_cgroup_kill(server, 0);
	list_lru_destroy(&lru);
	for (int i = 0; i < TENANTS; i++)
		mem_cgroup_put(tenants[i].memcg);
	mem_cgroup_put(server);
}

int main(int argc, char **argv)
{
	struct shrinker *shrinker;
	double seconds = 10;
	bool protect = true, well;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--unprotected"))
			protect = false;
		else if (!strcmp(argv[i], "--seconds") && i + 1 < argc)
			seconds = atof(argv[++i]);
		else
			return fprintf(stderr,
				       "usage: cache_server [--seconds N] [--unprotected]\n"),
			       2;
	}
	make_groups(protect);
	shrinker = start_shrinker();
	run(seconds);
	well = all_is_well();
	end(shrinker);
	return well ? 0 : 1;
}
