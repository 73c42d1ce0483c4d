/* SPDX-License-Identifier: MIT */
/*
 * What can be learnt of groups, while they come and go: events by eventfds that are closed
 * as soon as they may be, peaks by readers that begin anew all the time, pressure of
 * threads that stall and go on, and requests as another process leaves them.
 */
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cgslab/slab.h>

#include "accounting/control.h"
#include "accounting/memcg_more.h"
#include "alloc/base/os.h"
#include "tests/stress/check.h"
#include "tests/stress/crew.h"
#include "tests/stress/deadline.h"
#include "tests/stress/quiet.h"

#define SLOTS	4
#define OTHERS	4 /* threads but the one that listens */
#define MAX	(256ul << 10)
#define TOO_BIG (512ul << 10)
#define BLOCK	(100ul << 10)

static struct mem_cgroup *top;
static struct mem_cgroup *slots[SLOTS]; /* RCU; each with a reference */
static unsigned long names, stalls, told, answered;

/* A group of a slot, with a reference, or the top. */
static struct mem_cgroup *get_group(struct random *random)
{
	struct mem_cgroup *memcg;

	rcu_read_lock();
	memcg = load_acquire(&slots[random_below(random, SLOTS)]);
	if (memcg && !mem_cgroup_tryget_online(memcg))
		memcg = NULL;
	rcu_read_unlock();
	if (memcg)
		return memcg;
	mem_cgroup_get(top);
	return top;
}

/* ---- Those who cause it ------------------------------------------------------- */

static void stall(struct mem_cgroup *memcg, struct random *random)
{
	struct psi_stall outer;

	psi_memstall_enter(memcg, &outer);
	if (random_chance(random, 2)) {
		struct psi_stall inner;

		psi_memstall_enter(top, &inner);
		psi_memstall_leave(&inner);
	} else {
		os_sleep_us(random_below(random, 50));
	}
	psi_memstall_leave(&outer);
	atomic_add(&stalls, 1);
}

static void live_inside(unsigned int place, struct random *random)
{
	(void)place;
	for (int i = 0; i < 200; i++) {
		struct mem_cgroup *memcg = get_group(random);

		set_active_memcg(memcg);
		if (random_chance(random, 2))
			stall(memcg, random);
		if (mem_cgroup_current() == memcg && memcg != top)
			CHECK(!kmalloc(TOO_BIG, GFP_KERNEL), "past max");
		kfree(kmalloc(1 + random_below(random, BLOCK), GFP_NOFS));
		set_active_memcg(NULL);
		mem_cgroup_put(memcg);
	}
}

static void found(struct mem_cgroup **slot)
{
	struct mem_cgroup *memcg, *empty = NULL;
	char name[32];

	snprintf(name, sizeof(name), "g%lu", atomic_add(&names, 1));
	memcg = mem_cgroup_create(top, name);
	CHECK(memcg, "no group: errno %d", errno);
	mem_cgroup_set_max(memcg, MAX);
	if (__atomic_compare_exchange_n(slot, &empty, memcg, false, __ATOMIC_RELEASE,
					__ATOMIC_RELAXED))
		return;
	CHECK(!mem_cgroup_rmdir(memcg), "rmdir of a group that nobody knows");
	mem_cgroup_put(memcg);
}

/* Whoever removes the group also empties the slot. */
static void raze(struct mem_cgroup **slot)
{
	struct mem_cgroup *memcg;
	int err;

	rcu_read_lock();
	memcg = load_acquire(slot);
	if (memcg && !mem_cgroup_tryget_online(memcg))
		memcg = NULL;
	rcu_read_unlock();
	if (!memcg)
		return;
	err = mem_cgroup_rmdir(memcg);
	CHECK(!err || err == -EBUSY || err == -ENODEV, "rmdir: %d", err);
	if (!err) {
		store_release(slot, NULL);
		mem_cgroup_put(memcg); /* the slot's */
	}
	mem_cgroup_put(memcg);
}

static void found_and_raze(unsigned int place, struct random *random)
{
	(void)place;
	for (int i = 0; i < 100; i++) {
		struct mem_cgroup **slot = &slots[random_below(random, SLOTS)];

		if (!READ_ONCE(*slot))
			found(slot);
		else if (random_chance(random, 4))
			raze(slot);
		os_sleep_us(20);
	}
}

/* ---- Those who learn of it -------------------------------------------------------- */

static uint64_t read_eventfd(int fd)
{
	uint64_t events = 0;

	CHECK(read(fd, &events, sizeof(events)) == sizeof(events) || errno == EAGAIN, "read");
	return events;
}

static void listen_once(struct mem_cgroup *memcg)
{
	uint64_t before = mem_cgroup_event(memcg, MEMCG_EVENT_MAX), events, after;
	int fd = eventfd(0, EFD_NONBLOCK);
	int err = mem_cgroup_register_event(memcg, MEMCG_EVENT_MAX, fd);

	CHECK(!err || err == -ENODEV, "register: %d", err);
	os_sleep_us(100);
	if (!err)
		CHECK(!mem_cgroup_unregister_event(memcg, MEMCG_EVENT_MAX, fd), "unregister");
	events = read_eventfd(fd);
	after = mem_cgroup_event(memcg, MEMCG_EVENT_MAX);
	/* Each of the others may have counted one before we looked, and told of it afterwards. */
	CHECK(events <= after - before + OTHERS, "told of %lu of %lu", (unsigned long)events,
	      (unsigned long)(after - before));
	atomic_add(&told, events);
	/* What has its number now is told of nothing. */
	CHECK(!read_eventfd(fd), "told after it was unregistered");
	close(fd);
	fd = eventfd(0, EFD_NONBLOCK);
	os_sleep_us(20);
	CHECK(!read_eventfd(fd), "told without being registered");
	close(fd);
}

static void watch_peak(struct mem_cgroup *memcg, struct random *random)
{
	struct mem_cgroup_peak *peak = mem_cgroup_peak_open(memcg);
	struct mem_cgroup *old;
	void *block;

	mem_cgroup_peak_reset(peak);
	old = set_active_memcg(memcg);
	block = mem_cgroup_current() == memcg ? kmalloc(BLOCK, GFP_NOFS) : NULL;
	if (random_chance(random, 2))
		mem_cgroup_reset_peak(memcg);
	kfree(block);
	CHECK(!block || mem_cgroup_peak_read(peak) >= BLOCK, "missed a peak: %lu",
	      (unsigned long)mem_cgroup_peak_read(peak));
	set_active_memcg(old);
	mem_cgroup_peak_close(peak);
}

static void look_at_pressure(struct mem_cgroup *memcg)
{
	struct mem_cgroup_pressure pressure = {.size = sizeof(pressure)};

	CHECK(!mem_cgroup_pressure(memcg, &pressure), "pressure");
	CHECK(pressure.full.total_us <= pressure.some.total_us, "full is more than some");
	CHECK(pressure.some.avg10 <= 10000, "avg10 is %u", pressure.some.avg10);
}

static void learn(unsigned int place, struct random *random)
{
	(void)place;
	for (int i = 0; i < 50; i++) {
		struct mem_cgroup *memcg = get_group(random);

		listen_once(memcg);
		watch_peak(memcg, random);
		look_at_pressure(memcg);
		mem_cgroup_put(memcg);
	}
}

/* ---- Those who ask from outside ----------------------------------------------------- */

static void ask(unsigned int place, struct random *random)
{
	for (int i = 0; i < 100; i++) {
		struct mem_cgroup *memcg = get_group(random);
		struct counters_record *record = memcg->memory.record;
		uint64_t ticket = 1 + place * 1000 + (uint64_t)i, none = 0;

		if (cmpxchg_acq_rel(&record->request, &none,
				    control_word(ticket, random_below(random, 3)))) {
			__atomic_add_fetch(&counters_header()->requests, 1, __ATOMIC_RELEASE);
			control_run(GFP_KERNEL);
			if (load_acquire(&record->reply) >> CONTROL_TICKET_SHIFT == ticket)
				atomic_add(&answered, 1);
		}
		mem_cgroup_put(memcg);
	}
}

/* ---- The end -------------------------------------------------------------------------- */

static uint64_t stalled_us(void)
{
	struct mem_cgroup_pressure pressure = {.size = sizeof(pressure)};

	CHECK(!mem_cgroup_pressure(top, &pressure), "pressure");
	return pressure.some.total_us;
}

int main(int argc, char **argv)
{
	static const struct crew crews[] = {
		{2, live_inside}, {1, found_and_raze}, {1, learn}, {1, ask}, {0, NULL}};
	uint64_t total;

	deadline_start(argc, argv);
	top = mem_cgroup_create(NULL, "top");
	crew_run(crews, quiet_watch);

	total = stalled_us();
	CHECK(total, "nobody stalled");
	os_sleep_us(1000);
	CHECK(stalled_us() == total, "somebody is stalled for ever");
	for (int i = 0; i < SLOTS; i++)
		raze(&slots[i]);
	CHECK(mem_cgroup_reclaim(top, MEMCG_MAX) == -EAGAIN, "so much was not there"); /* stocks */
	CHECK(mem_cgroup_usage(top) == 0, "%lu bytes", (unsigned long)mem_cgroup_usage(top));
	CHECK(!mem_cgroup_rmdir(top), "rmdir of top");
	mem_cgroup_put(top);
	quiet_end();
	printf("%lu stalls, told of %lu events, %lu requests answered\n", stalls, told, answered);
	CHECK(told && answered, "nothing was learnt");
	return 0;
}
