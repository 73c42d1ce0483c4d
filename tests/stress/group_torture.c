/* SPDX-License-Identifier: MIT */
/*
 * All at once: groups come and go at any depth, threads enter, fill and leave
 * them, end and are born again, free what others made, in whatever group, by
 * hand, by RCU and after their own end, and transfer it; subtrees are killed; walks
 * are begun and broken off; caches are made, used in many groups, shrunk and
 * destroyed; and at random moments everything is counted.
 *
 * This is done a few times over. After each time nothing may be left: no byte,
 * no object, no group, no cache; and no more memory than after the first.
 */
#include <errno.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "accounting/mem_cgroup.h"
#include "alloc/base/meta.h"
#include "alloc/base/os.h"
#include "alloc/pages/page_run.h"
#include "tests/stress/check.h"
#include "tests/stress/crew.h"
#include "tests/stress/deadline.h"
#include "tests/stress/parcel.h"
#include "tests/stress/quiet.h"
#include "tests/stress/torture_caches.h"
#include "tests/stress/torture_estate.h"
#include "tests/stress/torture_tree.h"

#define ROUNDS	4
#define PLACES	400
#define LARGEST (100ul << 10)
#define LATE	8 /* parcels that a thread frees after its end */

static struct parcel *places[PLACES];
static unsigned long entered, refused, checks;

static void count(unsigned long *what)
{
	__atomic_add_fetch(what, 1, __ATOMIC_RELAXED);
}

/* ---- What a thread does in a group ------------------------------------------ */

static struct parcel **any_place(struct random *random)
{
	return &places[random_below(random, PLACES)];
}

static struct parcel *make_any(struct random *random)
{
	struct parcel *parcel = random_chance(random, 3) ? caches_make_parcel(random)
							 : parcel_make(random, LARGEST);

	if (!parcel)
		count(&refused);
	else if (random_chance(random, 4))
		parcel_charge(random, parcel, 100000);
	return parcel;
}

static void exchange_one(struct random *random)
{
	struct parcel *parcel = random_chance(random, 8) ? NULL : make_any(random);

	caches_free_parcel(random, parcel_swap(any_place(random), parcel));
}

/* What one group allocated grows in another. */
static void resize_one(struct random *random)
{
	struct parcel *parcel = parcel_swap(any_place(random), NULL);

	if (parcel && !parcel->cache)
		parcel = parcel_resize(random, parcel, LARGEST);
	caches_free_parcel(random, parcel_swap(any_place(random), parcel));
}

/* What one group allocated is another's from now on. */
static void transfer_one(struct random *random)
{
	struct parcel *parcel = parcel_swap(any_place(random), NULL);
	struct mem_cgroup *to = tree_get(random);
	int err = to ? mem_cgroup_transfer((void **)&parcel, to) : 0;

	CHECK(!err || err == -ENOMEM || err == -ENODEV || err == -EINVAL, "transfer: %d", err);
	mem_cgroup_put(to);
	caches_free_parcel(random, parcel_swap(any_place(random), parcel));
}

static void work(struct random *random)
{
	for (uint32_t n = random_below(random, 24); n; n--) {
		exchange_one(random);
		if (random_chance(random, 16))
			resize_one(random);
		if (random_chance(random, 16))
			transfer_one(random);
	}
}

/* ---- Threads ------------------------------------------------------------------ */

/* Its destructor comes after the library's: the thread has ended in our eyes. */
static pthread_key_t late_key;

static void free_late(void *arg)
{
	struct random random;

	random_seed(&random, (uintptr_t)arg);
	for (int i = 0; i < LATE; i++) {
		struct parcel *parcel =
			random_chance(&random, 2) ? parcel_make(&random, LARGEST) : NULL;

		caches_free_parcel(&random, parcel_swap(any_place(&random), parcel));
	}
}

/*
 * Who leaves a group must hold it to come back. It may be removed meanwhile: then
 * the thread stays where it is.
 */
static void enter_and_work(struct random *random, unsigned int deeper)
{
	struct mem_cgroup *memcg = tree_get(random), *was, *old;

	if (!memcg)
		return;
	was = mem_cgroup_current();
	mem_cgroup_get(was);
	errno = 0;
	old = set_active_memcg(memcg);
	CHECK(errno == 0 || errno == ENODEV, "errno %d", errno);
	CHECK((mem_cgroup_current() == memcg) == (errno == 0), "errno %d", errno);
	if (!errno)
		count(&entered);
	work(random);
	if (deeper)
		enter_and_work(random, deeper - 1);
	set_active_memcg(random_chance(random, 4) ? NULL : old);
	mem_cgroup_put(was);
	mem_cgroup_put(memcg);
}

static void move_home(struct random *random)
{
	struct mem_cgroup *memcg = random_chance(random, 2) ? tree_get(random) : NULL;
	int err = mem_cgroup_attach(memcg);

	CHECK(!err || err == -ENODEV, "attach: %d", err);
	mem_cgroup_put(memcg);
}

static void live_inside(unsigned int place, struct random *random)
{
	(void)place;
	if (random_chance(random, 2))
		pthread_setspecific(late_key, (void *)(uintptr_t)(random_next(random) | 1));
	for (int i = 0; i < 100; i++) {
		enter_and_work(random, random_below(random, 3));
		if (random_chance(random, 10))
			move_home(random);
		work(random);
		/* As some end wherever they are, so others find heaps everywhere. */
		if (random_chance(random, 4))
			set_active_memcg(NULL);
	}
}

static void change_tree(unsigned int place, struct random *random)
{
	(void)place;
	for (int i = 0; i < 300; i++)
		tree_change(random);
}

static void change_caches(unsigned int place, struct random *random)
{
	(void)place;
	set_active_memcg(tree_top());
	for (int i = 0; i < 20; i++)
		caches_change(random, places, PLACES);
}

static void rise_and_fall(unsigned int place, struct random *random)
{
	(void)place;
	for (int i = 0; i < 30; i++)
		estate_rise_and_fall(random);
}

/* ---- Looking on ----------------------------------------------------------------- */

static void walk(unsigned int place, struct random *random)
{
	(void)place;
	for (int i = 0; i < 200; i++) {
		tree_walk(random);
		if (random_chance(random, 10))
			os_sleep_us(random_below(random, 3000));
	}
}

/* A group that was removed has left all to its parent. */
static void verify_one(struct mem_cgroup *memcg)
{
	bool online;

	if (!mem_cgroup_verify(memcg, NULL))
		return;
	online = mem_cgroup_tryget_online(memcg);
	CHECK(!online, "'%s' is charged wrongly", mem_cgroup_name(memcg));
}

/* The identity, of all or of one group, at moments that nothing else decides. */
static void look_on(void)
{
	static struct random random = {.state = 1};
	struct mem_cgroup *memcg = random_chance(&random, 2) ? tree_get(&random) : NULL;

	if (memcg)
		verify_one(memcg);
	else
		quiet_verify(mem_cgroup_root());
	mem_cgroup_put(memcg);
	checks++;
	os_sleep_us(random_below(&random, 20000));
}

/* ---- One round -------------------------------------------------------------------- */

static void free_all(void)
{
	struct random random = {.state = 1};

	for (int i = 0; i < PLACES; i++)
		caches_free_parcel(&random, parcel_swap(&places[i], NULL));
	kvfree_rcu_barrier();
}

static void run_round(void)
{
	static const struct crew crews[] = {{3, live_inside},	{2, change_tree},
					    {1, change_caches}, {1, rise_and_fall},
					    {2, walk},		{0, NULL}};

	deadline_start_part(ROUNDS);
	tree_plant();
	caches_begin();
	crew_run(crews, look_on);
	quiet_verify(mem_cgroup_root());
	crew_run_once(free_all);
	caches_end();
	tree_fell();
	quiet_end();
}

/* ---- Memory ----------------------------------------------------------------------- */

/* That of the sanitizers is not ours. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_MEASURED false
#elif defined(__has_feature)
#define IS_MEASURED (!__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer))
#else
#define IS_MEASURED true
#endif

/* Of what goes through in a minute this is next to nothing. */
#define SLACK (8ul << 20)

static size_t resident_bytes(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	size_t size, resident;

	CHECK(file && fscanf(file, "%zu %zu", &size, &resident) == 2, "no statm");
	fclose(file);
	return resident * (size_t)sysconf(_SC_PAGESIZE);
}

/*
 * What it takes in memory to keep the most groups that ever waited for a grace
 * period is chance: that stays resident, but is not in use.
 */
static size_t kept_bytes(void)
{
	return meta_committed() + counters_header()->nr_records * sizeof(struct counters_record);
}

static void check_memory(void)
{
	static size_t resident, metadata; /* after the first round */
	size_t now;

	page_runs_purge();
	now = resident_bytes() - kept_bytes();
	printf("%zu KiB resident, %zu of metadata in use, %zu kept for it\n", now >> 10,
	       meta_used() >> 10, kept_bytes() >> 10);
	if (!resident) {
		resident = now;
		metadata = meta_used();
	}
	CHECK(!IS_MEASURED || now <= resident + SLACK, "%zu KiB, and %zu at first", now >> 10,
	      resident >> 10);
	CHECK(meta_used() <= metadata + SLACK, "%zu KiB, and %zu at first", meta_used() >> 10,
	      metadata >> 10);
}

int main(int argc, char **argv)
{
	deadline_start(argc, argv);
	kfree(kmalloc(1, GFP_KERNEL)); /* its key comes before ours */
	CHECK(!pthread_key_create(&late_key, free_late), "no key");
	for (int i = 0; i < ROUNDS; i++) {
		run_round();
		check_memory();
	}
	printf("%lu entered, %lu groups removed, %lu subtrees killed, %lu caches destroyed, "
	       "%lu refused, %lu checks\n",
	       entered, tree_removed(), estates_killed(), caches_destroyed(), refused, checks);
	CHECK(entered && tree_removed() && estates_killed() && caches_destroyed() && refused &&
		      checks,
	      "something was not done");
	return 0;
}
