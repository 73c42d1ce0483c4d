/* SPDX-License-Identifier: MIT */
/*
 * Spans of tenants who are short of memory: threads make them, pin and unpin them, also for each
 * other, write to them, free, migrate and transfer them; meanwhile they are swapped out to a disk
 * that fails at times, and compacted; tenants are removed, or killed with what they have; the
 * process forks; and at random moments everything is counted. Whoever pins a span looks at
 * its content.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cgslab/slab.h>

#include "alloc/base/os.h"
#include "alloc/slab/debug.h"
#include "alloc/swap/swap_area.h"
#include "shrinker/zswap.h"
#include "tests/stress/bale_place.h"
#include "tests/stress/check.h"
#include "tests/stress/crew.h"
#include "tests/stress/deadline.h"
#include "tests/stress/quiet.h"
#include "tests/stress/span_tenants.h"
#include "tests/stress/swap_faults.h"

#define FAMILY	     8
#define BURST	     16
#define DROP_FLAGS   (GFP_KERNEL | __GFP_ZERO | SPAN_SWAPPABLE)
#define POOL	     2
#define POOL_LARGEST (64u << 10)

static unsigned long compacted, forked, checks; /* atomic */

/* ---- Spans that go at once --------------------------------------------------- */

static struct mem_cgroup *brook;
static struct place pool[POOL];

/* Of some pages, that can be packed. */
static struct span *make_drop(struct random *random)
{
	struct span *span = span_alloc((1 + random_below(random, 4)) * 4096, DROP_FLAGS);
	uint64_t *data = span ? span_pin(span) : NULL;

	CHECK(span || errno == ENOMEM, "errno %d", errno);
	if (data) {
		*data = random_next(random);
		span_unpin(span);
	}
	return span;
}

/* So that the last put and the swapper often meet. */
static void flow(unsigned int index, struct random *random)
{
	struct span *spans[BURST];

	(void)index;
	set_active_memcg(brook);
	for (int i = 0; i < 1000; i++) {
		for (int k = 0; k < BURST; k++)
			spans[k] = make_drop(random);
		if (random_chance(random, 4))
			sched_yield();
		for (int k = 0; k < BURST; k++)
			span_put(spans[k]);
	}
	set_active_memcg(NULL);
}

/* Two that bring the same spans in at once; one of them pays nothing for a pin. */
static void pin_all_the_time(unsigned int index, struct random *random)
{
	struct place *place;

	(void)index;
	set_active_memcg(brook);
	for (int i = 0; i < 20000; i++) {
		place = any_place(random, pool, POOL);
		if (random_chance(random, 1000))
			bale_put(place_exchange(place, bale_make(random, POOL_LARGEST)));
		place_check(random, place);
	}
	places_empty(pool, POOL);
	set_active_memcg(NULL);
}

/* ---- Pressure --------------------------------------------------------------- */

static struct mem_cgroup *get_group(struct random *random)
{
	if (!random_chance(random, 2))
		return tenants_get(random);
	mem_cgroup_get(brook);
	return brook;
}

/* What goes out from now on is packed first; where there is no liblz4, it is not. */
static void pack_or_not(struct random *random)
{
	int err = zswap_switch(random_chance(random, 2));

	CHECK(!err || err == -ENOSYS, "zswap: %d", err);
}

static void press(unsigned int index, struct random *random)
{
	(void)index;
	for (int i = 0; i < 50; i++) {
		struct mem_cgroup *memcg = get_group(random);

		mem_cgroup_reclaim(memcg, random_below(random, 4 * SPAN_LARGEST));
		mem_cgroup_put(memcg);
		if (random_chance(random, 8))
			swap_faults_change(random);
		if (random_chance(random, 8))
			pack_or_not(random);
	}
}

static void compact(unsigned int index, struct random *random)
{
	(void)index;
	for (int i = 0; i < 100; i++) {
		if (span_compact())
			bale_count(&compacted);
		os_sleep_us(random_below(random, 2000));
	}
}

/* ---- Fork ------------------------------------------------------------------- */

/* By the thread whose they are alone; others swap them out. */
static void use_family(struct random *random, struct place *family)
{
	set_active_memcg(brook);
	for (int i = 0; i < 4 * FAMILY; i++) {
		struct place *place = any_place(random, family, FAMILY);

		if (!place->bale || random_chance(random, 8))
			bale_put(place_exchange(place, bale_make(random, SPAN_LARGEST)));
		place_use(random, place);
	}
	set_active_memcg(NULL);
}

/* It is alone, has all that the parent had, and each goes its way. */
static void be_child(struct random *random, struct place *family)
{
	random_next(random);
	for (int i = 0; i < 3; i++) {
		use_family(random, family);
		mem_cgroup_reclaim(brook, random_below(random, 4 * SPAN_LARGEST));
	}
	quiet_verify(mem_cgroup_root());
	places_empty(family, FAMILY);
	quiet_verify(mem_cgroup_root());
	_exit(0);
}

static void fork_one(struct random *random, struct place *family)
{
	pid_t pid = fork();
	int status;

	CHECK(pid >= 0, "fork: errno %d", errno);
	if (!pid)
		be_child(random, family);
	use_family(random, family);
	CHECK(waitpid(pid, &status, 0) == pid, "no child");
	CHECK(status == 0, "the child ended with %x", (unsigned int)status);
	bale_count(&forked);
}

static void fork_at_times(unsigned int index, struct random *random)
{
	struct place family[FAMILY] = {0};

	(void)index;
	places_init(family, FAMILY);
	for (int i = 0; i < 5; i++) {
		use_family(random, family);
		os_sleep_us(random_below(random, 50000));
		if (!IS_SANITIZED)
			fork_one(random, family);
	}
	places_empty(family, FAMILY);
}

/* ------------------------------------------------------------------------------- */

static void look_on(void)
{
	quiet_watch();
	checks++;
}

static void begin(void)
{
	const char *dir = getenv("TEST_TMPDIR");

	swap_faults_install();
	CHECK(!span_swapon(dir ? dir : "/tmp", 1ul << 30), "no swap");
	tenants_begin();
	brook = mem_cgroup_create(tenants_top(), "brook");
	CHECK(brook, "no group");
	places_init(pool, POOL);
}

/* What could not be read back was only late. */
static void end_all(void)
{
	struct swap_area_stats stats;

	swap_faults_end();
	CHECK(!mem_cgroup_rmdir(brook), "rmdir");
	mem_cgroup_put(brook);
	tenants_end();
	kvfree_rcu_barrier();
	swap_area_stats(&stats);
	CHECK(!stats.slots && !stats.bytes, "%lu slots of %lu bytes", (unsigned long)stats.slots,
	      (unsigned long)stats.bytes);
}

static void report(void)
{
	const struct bale_counts *n = &bale_counts;
	const struct tenants_counts *t = &tenants_counts;
	struct mem_cgroup_stat stat = {.size = sizeof(stat)};
	struct swap_faults f = swap_faults;

	printf("%lu made, %lu refused, %lu pinned, %lu not pinned, %lu unpinned by others, %lu "
	       "rewritten, %lu migrated, %lu transferred, %lu blocks freed\n",
	       n->made, n->refused, n->pinned, n->lost, n->parked, n->rewritten, n->migrated,
	       n->transferred, n->blocks);
	printf("%lu tenants removed, %lu killed, %lu forks, %lu compactions, %lu writes, %lu failed, "
	       "%lu reads, %lu failed, %lu counts\n",
	       t->removed, t->killed, forked, compacted, f.writes, f.failed_writes, f.reads,
	       f.failed_reads, checks);
	CHECK(!mem_cgroup_stat(mem_cgroup_root(), &stat), "stat");
	printf("pages: %lu out to the file, %lu in from it, %lu packed, %lu unpacked, %lu packed to the "
	       "file\n",
	       stat.pswpout, stat.pswpin, stat.zswpout, stat.zswpin, stat.zswpwb);
	fflush(stdout);
	CHECK(n->made && n->refused && n->pinned && n->lost && n->parked && n->rewritten &&
		      n->migrated && n->transferred && n->blocks,
	      "something was not done");
	CHECK(t->removed && t->killed && (forked || IS_SANITIZED) && f.writes && f.failed_writes &&
		      f.reads && f.failed_reads && checks,
	      "something was not done");
}

int main(int argc, char **argv)
{
	static const struct crew crews[] = {
		{3, tenants_use},
		{1, flow},
		{2, pin_all_the_time},
		{2, press},
		{1, compact},
		{1, tenants_end_and_found},
		{1, fork_at_times},
		{0, NULL},
	};

	deadline_start(argc, argv);
	begin();
	crew_run(crews, look_on);
	crew_run_once(end_all);
	debug_forget_killed();
	report();
	quiet_end();
	return 0;
}
