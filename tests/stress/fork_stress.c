/* SPDX-License-Identifier: MIT */
/*
 * A process forks again and again while its threads do everything at once:
 * allocate, free for each other, change groups, make and remove groups and
 * caches, end and begin. Each child must find the books in order but for what
 * the lost threads were in the middle of, which the first verification settles;
 * it must be able to allocate, to free what it has inherited, and to start a
 * thread; and the parent must not notice.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cgslab/slab.h>

#include "tests/stress/check.h"
#include "tests/stress/crew.h"
#include "tests/stress/deadline.h"
#include "tests/stress/pattern.h"
#include "tests/stress/quiet.h"

#define GROUPS	      3
#define PLACES	      200
#define KEPT	      300
#define LIMIT	      (3ul << 20)
#define LARGEST	      (120ul << 10)
#define CHILD_SECONDS 30

struct parcel {
	size_t size;
	uint64_t owner;
};

static struct mem_cgroup *groups[GROUPS], *huge;
static struct parcel *places[PLACES];
static struct parcel *kept[KEPT]; /* untouched by the threads */
static unsigned long forks;

/* ---- Parcels ------------------------------------------------------------ */

static struct parcel *parcel_make(struct random *random)
{
	size_t size = sizeof(struct parcel) + random_size(random, LARGEST);
	struct parcel *parcel = kmalloc(size, GFP_KERNEL);

	if (!parcel)
		return NULL;
	parcel->size = size;
	parcel->owner = pattern_owner();
	pattern_fill(parcel + 1, size - sizeof(*parcel), parcel->owner);
	return parcel;
}

static void parcel_check(const struct parcel *parcel)
{
	if (parcel)
		pattern_check(parcel + 1, parcel->size - sizeof(*parcel), parcel->owner);
}

static void parcel_free(struct parcel *parcel)
{
	parcel_check(parcel);
	kfree(parcel);
}

/* ---- The threads of the parent ------------------------------------------ */

static void exchange_parcels(unsigned int place, struct random *random)
{
	set_active_memcg(groups[place % GROUPS]);
	for (int i = 0; i < 2000; i++) {
		struct parcel **slot = &places[random_below(random, PLACES)];

		if (random_chance(random, 100))
			set_active_memcg(groups[random_below(random, GROUPS)]);
		parcel_free(__atomic_exchange_n(slot, parcel_make(random), __ATOMIC_ACQ_REL));
	}
}

/* A group, entered and left, whose only object outlives it. */
static void pass_through_group(struct random *random)
{
	struct mem_cgroup *memcg;
	struct parcel *parcel;
	char name[32];

	snprintf(name, sizeof(name), "g%lu", (unsigned long)pattern_owner());
	memcg = mem_cgroup_create(groups[0], name);
	CHECK(memcg, "no group: errno %d", errno);
	set_active_memcg(memcg);
	parcel = parcel_make(random);
	set_active_memcg(NULL);
	CHECK(!mem_cgroup_rmdir(memcg), "rmdir");
	mem_cgroup_put(memcg);
	parcel_free(parcel);
}

static void use_cache(struct random *random)
{
	struct kmem_cache *cache = kmem_cache_create("passing", 100, 0, 0, NULL);
	void *objects[50];
	size_t nr = kmem_cache_alloc_bulk(cache, GFP_KERNEL, 1 + random_below(random, 50), objects);

	kmem_cache_free_bulk(cache, nr, objects);
	CHECK(!kmem_cache_destroy(cache), "a cache without objects is not destroyed");
}

static void make_and_remove(unsigned int place, struct random *random)
{
	for (int i = 0; i < 200; i++) {
		pass_through_group(random);
		if (place && random_chance(random, 40))
			use_cache(random);
	}
}

/* Blocks so large that each step with one moves what the books say far. */
static void resize_huge(unsigned int place, struct random *random)
{
	void *block = NULL;

	(void)place;
	set_active_memcg(huge);
	for (int i = 0; i < 2000; i++) {
		size_t size = (1 + random_below(random, 64)) << 20;
		void *resized = krealloc(block, size, GFP_KERNEL);

		CHECK(resized, "no %zu bytes", size);
		block = resized;
		if (random_chance(random, 4)) {
			kfree(block);
			block = NULL;
		}
	}
	kfree(block);
}

/* The first thing this thread does with the library. */
static void remove_first(unsigned int place, struct random *random)
{
	static struct mem_cgroup *next;
	char name[32];

	(void)place;
	(void)random;
	if (next) {
		CHECK(!mem_cgroup_rmdir(next), "rmdir");
		mem_cgroup_put(next);
	}
	snprintf(name, sizeof(name), "f%lu", (unsigned long)pattern_owner());
	next = mem_cgroup_create(NULL, name);
	CHECK(next, "no group");
	set_active_memcg(next);
	kfree(kmalloc(100, GFP_KERNEL));
	set_active_memcg(NULL);
}

/* ---- The child ---------------------------------------------------------- */

static void *work_in_child(void *arg)
{
	struct random random;

	random_seed(&random, forks);
	set_active_memcg(groups[0]);
	for (int i = 0; i < 300; i++)
		parcel_free(parcel_make(&random));
	return arg;
}

static void run_in_child(void)
{
	struct mem_cgroup *memcg;
	pthread_t thread;

	quiet_verify(mem_cgroup_root());
	work_in_child(NULL);
	for (int i = 0; i < KEPT; i++)
		parcel_free(kept[i]);
	quiet_verify(mem_cgroup_root());
	memcg = mem_cgroup_create(groups[1], "child");
	CHECK(memcg, "no group in the child");
	set_active_memcg(memcg);
	kept[0] = kmalloc(100000, GFP_KERNEL);
	set_active_memcg(NULL);
	CHECK(!mem_cgroup_rmdir(memcg), "rmdir in the child");
	mem_cgroup_put(memcg);
	kfree(kept[0]);
	CHECK(!pthread_create(&thread, NULL, work_in_child, NULL), "no thread in the child");
	CHECK(!pthread_join(thread, NULL), "no thread to join in the child");
	quiet_verify(mem_cgroup_root());
}

static void fork_once(void)
{
	int status = 0;
	pid_t pid;

	forks++;
	pid = fork();
	CHECK(pid >= 0, "no process");
	if (pid == 0) {
		alarm(CHILD_SECONDS);
		run_in_child();
		_exit(0);
	}
	while (waitpid(pid, &status, 0) < 0)
		CHECK(errno == EINTR, "waitpid: errno %d", errno);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "child %lu: status %x", forks, status);
	for (int i = 0; i < KEPT; i++)
		parcel_check(kept[i]);
	if (forks % 8 == 0)
		quiet_verify(mem_cgroup_root());
}

static void keep_some(void)
{
	struct random random;

	random_seed(&random, 99);
	for (int i = 0; i < KEPT; i++) {
		set_active_memcg(groups[i % GROUPS]);
		kept[i] = parcel_make(&random);
	}
}

static void free_all(void)
{
	for (int i = 0; i < PLACES; i++)
		parcel_free(places[i]);
	for (int i = 0; i < KEPT; i++)
		parcel_free(kept[i]);
}

static int remove_group(struct mem_cgroup *memcg)
{
	int err = mem_cgroup_rmdir(memcg);

	mem_cgroup_put(memcg);
	return err;
}

int main(int argc, char **argv)
{
	static const struct crew crews[] = {{3, exchange_parcels},
					    {2, make_and_remove},
					    {1, remove_first},
					    {1, resize_huge},
					    {0, NULL}};

	deadline_start(argc, argv);
	for (int i = 0; i < GROUPS; i++) {
		char name[] = {(char)('a' + i), '\0'};

		groups[i] = mem_cgroup_create(i ? groups[0] : NULL, name);
		mem_cgroup_set_max(groups[i], LIMIT * (i ? 1 : GROUPS));
	}
	huge = mem_cgroup_create(NULL, "huge");
	crew_run_once(keep_some);
	crew_run(crews, fork_once);

	crew_run_once(free_all);
	for (int i = GROUPS; i--;)
		CHECK(!remove_group(groups[i]), "rmdir of group %d", i);
	CHECK(!remove_group(huge), "rmdir of huge");
	quiet_verify(mem_cgroup_root());
	printf("%lu forks\n", forks);
	return 0;
}
