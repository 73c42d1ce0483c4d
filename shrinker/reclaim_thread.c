/* SPDX-License-Identifier: MIT */
#include "shrinker/reclaim_thread.h"

#include <string.h>

#include "accounting/control.h"
#include "accounting/obj_stock.h"
#include "alloc/base/os.h"
#include "alloc/slab/helper_thread.h"
#include "alloc/slab/task.h"
#include "shrinker/doorbell.h"
#include "shrinker/pressure.h"
#include "shrinker/reclaim.h"

/* Groups that it has work with at once; of more it only knows that there are some. */
#define NR_WORK 32

/* At a time for one group: so none keeps the others waiting for long. */
#define PORTION_PAGES 1024

/* A group that gives nothing is left alone for so long, doubled each time. */
#define DELAY_MS     10u
#define DELAY_MAX_MS 1000u

/* How long an allocation waits; and behind a callback that nobody has seen the end of. */
#define PATIENCE_MS 100u
#define STUCK_MS    10u

/* Callbacks of the program run on it. */
#define STACK_SIZE (1ul << 20)

/* ->due: there is nothing to do, and the place is for others. */
#define NEVER UINT64_MAX

/* By id, which is never used again: a group that goes is not held up. */
struct work {
	uint64_t id;	   /* 0: none so far */
	int64_t pages;	   /* that allocations ask for; 0: it is above its high */
	uint64_t due;	   /* os_clock_ms() */
	uint32_t delay;	   /* ms; 0: the last time it gave something */
	bool again;	   /* somebody has asked since it was begun */
	uint64_t asked;	   /* the last ticket of those who wait for it */
	uint64_t answered; /* all up to this one */
	uint64_t gave;	   /* the last one for which something was freed */
};

/* All below: work_lock. */
static struct lock work_lock = LOCK_INIT(LOCK_RANK_RECLAIM);
static struct work works[NR_WORK];
static uint64_t tickets; /* given out */
static bool overflown;	 /* groups above their high that found no place */
static uint64_t overflow_due;

static bool ends; /* atomic: the process does */

static uint32_t steps;	 /* atomic, futex: moves on with each group that was looked at */
static uint32_t waiting; /* atomic: threads in reclaim_thread_ask() */
static uint64_t stuck;	 /* atomic: the value of steps at which it got stuck, and 1 << 32 */

static __thread bool is_reclaim_thread __attribute__((tls_model("initial-exec")));

/* ---- Work ------------------------------------------------------------------- */

static struct work *find_work(uint64_t id)
{
	for (int i = 0; i < NR_WORK; i++)
		if (works[i].id == id)
			return &works[i];
	return NULL;
}

static struct work *find_place(void)
{
	for (int i = 0; i < NR_WORK; i++)
		if (works[i].due == NEVER || !works[i].id)
			return &works[i];
	return NULL;
}

/* That of the group, or a place for it; NULL: there is none. work_lock. */
static struct work *get_work(const struct mem_cgroup *memcg)
{
	struct work *work = find_work(memcg->id);

	if (work)
		return work;
	work = find_place();
	if (work)
		*work = (struct work){.id = memcg->id, .due = NEVER, .answered = tickets};
	return work;
}

static int64_t excess(const struct mem_cgroup *memcg)
{
	const struct counters_record *record = memcg->memory.record;

	return READ_ONCE(record->memory.usage) - READ_ONCE(record->memory.high);
}

/* Returns whether it gave something, or there is nothing to do any more. */
static bool shrink(struct mem_cgroup *memcg, int64_t asked)
{
	int64_t pages = max_t(int64_t, asked, excess(memcg));
	bool gave = true;

	if (pages <= 0)
		return true;
	memcg_drain_stocks(memcg);
	pages = max_t(int64_t, asked, excess(memcg));
	if (pages > 0)
		gave = reclaim_pages(memcg, min_t(int64_t, pages, PORTION_PAGES)) > 0;
	return gave;
}

/* The next that is due, with what it was asked for; NULL: none. The thread. */
static struct work *begin_work(uint64_t now, struct work *copy)
{
	static int hand;
	struct work *work = NULL;

	lock(&work_lock);
	for (int i = 0; i < NR_WORK && !work; i++) {
		hand = (hand + 1) % NR_WORK;
		if (works[hand].id && works[hand].due <= now)
			work = &works[hand];
	}
	if (work) {
		*copy = *work;
		work->again = false;
		work->pages = 0;
	}
	unlock(&work_lock);
	return work;
}

/* What is left to do stays, for later if it @gave nothing. The thread. */
static void end_work(struct work *work, const struct work *copy, bool gave, bool left)
{
	lock(&work_lock);
	work->answered = copy->asked;
	if (gave)
		work->gave = copy->asked;
	work->delay =
		gave ? 0
		     : min_t(uint32_t, max_t(uint32_t, 2 * copy->delay, DELAY_MS), DELAY_MAX_MS);
	if (!work->pages) /* otherwise it is due now */
		work->due = os_clock_ms() + work->delay;
	/* Where nobody allocates, it does not try for ever. */
	if (!work->again && !work->pages && (!left || work->delay == DELAY_MAX_MS))
		work->due = NEVER;
	unlock(&work_lock);
	reclaim_thread_step(true);
}

static void do_work(struct work *work, const struct work *copy)
{
	struct mem_cgroup *memcg = mem_cgroup_from_id(copy->id);
	bool gave = true, left = false;

	if (memcg && load_acquire(&memcg->online)) {
		gave = shrink(memcg, copy->pages);
		left = excess(memcg) > 0;
	}
	end_work(work, copy, gave, left);
	mem_cgroup_put(memcg);
}

static bool take_overflow(uint64_t now)
{
	bool due;

	lock(&work_lock);
	due = overflown && overflow_due <= now;
	if (due) {
		overflown = false;
		overflow_due = now + DELAY_MS;
	}
	unlock(&work_lock);
	return due;
}

/* All groups that are above their high. */
static void do_overflow(void)
{
	struct mem_cgroup *memcg = NULL;

	while ((memcg = mem_cgroup_iter(NULL, memcg, NULL)))
		if (excess(memcg) > 0)
			shrink(memcg, 0);
}

/* In ms from now; -1: never. */
static int next_due(uint64_t now)
{
	uint64_t due = UINT64_MAX;

	lock(&work_lock);
	for (int i = 0; i < NR_WORK; i++)
		if (works[i].id)
			due = min_t(uint64_t, due, works[i].due);
	if (overflown)
		due = min_t(uint64_t, due, overflow_due);
	unlock(&work_lock);
	if (due == UINT64_MAX)
		return -1;
	return due <= now ? 0 : (int)(due - now);
}

/* ---- The thread ---------------------------------------------------------------- */

static void relieve_machine(const struct pollfd *fds, int n)
{
	int64_t pages = pressure_pages(fds, n);

	if (pages > 0)
		pressure_done(reclaim_machine(pages));
}

/* What is due, each once. */
static void do_works(void)
{
	uint64_t now = os_clock_ms();
	struct work *work, copy;

	for (int i = 0; i < NR_WORK && (work = begin_work(now, &copy)); i++)
		do_work(work, &copy);
	if (take_overflow(now))
		do_overflow();
}

static int sooner(int a, int b)
{
	if (a < 0 || b < 0)
		return max_t(int, a, b);
	return min_t(int, a, b);
}

static int wait_for_work(uint32_t seen, struct pollfd *fds)
{
	int timeout = sooner(next_due(os_clock_ms()), pressure_timeout_ms());
	int n = pressure_poll_fds(fds, PRESSURE_FDS);

	doorbell_wait(seen, fds, n, timeout);
	return n;
}

static void run(void)
{
	struct pollfd fds[PRESSURE_FDS + 1];
	bool watches = false;
	int n = 0;

	is_reclaim_thread = true;
	/* A callback may have forked: in the child it is a thread like others. */
	while (is_reclaim_thread && !READ_ONCE(ends)) {
		uint32_t seen = doorbell_read();

		if (!watches && pressure_is_wanted()) {
			pressure_start();
			watches = true;
		}
		relieve_machine(fds, n);
		if (control_pending())
			control_run(GFP_KERNEL);
		do_works();
		n = wait_for_work(seen, fds);
	}
}

static void stop(void)
{
	WRITE_ONCE(ends, true);
	doorbell_ring();
}

static struct helper_thread thread = {
	.name = "cgslab-reclaim",
	.run = run,
	.stop = stop,
	.stack_size = STACK_SIZE,
	.has_task = true,
};

/* Who starts it has a task, of which the last one stops it. */
static bool start(void)
{
	struct heap *heap = task_begin_heap();
	bool started = heap && !helper_thread_start(&thread);

	if (heap)
		task_end_heap(heap);
	return started;
}

bool reclaim_thread_kick(void)
{
	if (!helper_thread_is_started(&thread) && !start())
		return false;
	doorbell_ring();
	return true;
}

void reclaim_thread_high(struct mem_cgroup *memcg)
{
	struct work *work;
	bool is_new = true;

	lock(&work_lock);
	work = get_work(memcg);
	if (work) {
		is_new = work->due == NEVER;
		if (is_new)
			work->due = 0;
		work->again = true;
	} else {
		overflown = true;
	}
	unlock(&work_lock);
	/* What is there already is seen to when it is due, if there is a thread. */
	if (is_new || !helper_thread_is_started(&thread))
		reclaim_thread_kick();
}

/* ---- Those who wait for it ------------------------------------------------------- */

void reclaim_thread_step(bool news)
{
	if (!is_reclaim_thread)
		return;
	/* Both pair with reclaim_thread_ask(): the new step is seen, or who waits for it. */
	__atomic_add_fetch(&steps, 1, __ATOMIC_SEQ_CST);
	if (news && __atomic_load_n(&waiting, __ATOMIC_SEQ_CST))
		os_futex_wake_all(&steps);
}

/* 0: there is no place. */
static uint64_t ask(const struct mem_cgroup *memcg, int64_t pages)
{
	uint64_t ticket = 0;
	struct work *work;

	lock(&work_lock);
	work = get_work(memcg);
	if (work) {
		ticket = ++tickets;
		work->asked = ticket;
		work->pages = min_t(int64_t, work->pages + pages, PORTION_PAGES);
		work->due = 0;
	}
	unlock(&work_lock);
	return ticket;
}

/* *@gave: something was freed, perhaps for others who ask. */
static bool is_answered(const struct mem_cgroup *memcg, uint64_t ticket, bool *gave)
{
	struct work *work;
	bool answered;

	lock(&work_lock);
	work = find_work(memcg->id);
	answered = !work || work->answered >= ticket;
	*gave = work && work->gave >= ticket;
	unlock(&work_lock);
	return answered;
}

static uint64_t stuck_at(uint32_t step)
{
	return step | 1ull << 32;
}

static uint64_t deadline(void)
{
	bool is_stuck = READ_ONCE(stuck) == stuck_at(READ_ONCE(steps));

	return os_clock_ms() + (is_stuck ? STUCK_MS : PATIENCE_MS);
}

/*
 * Until usage is as low as @low, the ticket is answered, or patience ends. Returns whether
 * something was freed for it.
 */
static bool wait_for_answer(const struct mem_cgroup *memcg, uint64_t ticket, int64_t low)
{
	uint64_t now, end = deadline();
	bool gave;

	for (;;) {
		uint32_t seen = __atomic_load_n(&steps, __ATOMIC_SEQ_CST);

		if (is_answered(memcg, ticket, &gave) ||
		    READ_ONCE(memcg->memory.level->usage) <= low)
			return gave;
		now = os_clock_ms();
		if (now >= end) {
			WRITE_ONCE(stuck, stuck_at(seen));
			return false;
		}
		os_futex_wait_for(&steps, seen, (unsigned int)(end - now));
	}
}

int64_t reclaim_thread_ask(struct mem_cgroup *memcg, int64_t pages)
{
	int64_t start = READ_ONCE(memcg->memory.level->usage);
	uint64_t ticket = ask(memcg, pages);
	bool gave;

	if (!ticket || !reclaim_thread_kick())
		return 0;
	__atomic_add_fetch(&waiting, 1, __ATOMIC_SEQ_CST); /* pairs with reclaim_thread_step() */
	gave = wait_for_answer(memcg, ticket, start - pages);
	atomic_sub(&waiting, 1);
	return max_t(int64_t, start - READ_ONCE(memcg->memory.level->usage), gave);
}

/* ---- fork ---------------------------------------------------------------------- */

void reclaim_thread_fork_prepare(void)
{
	lock(&work_lock);
}

void reclaim_thread_fork_done(void)
{
	unlock(&work_lock);
}

void reclaim_thread_lost(void)
{
	doorbell_lost();
	pressure_fork_child();
	is_reclaim_thread = false;
	memset(works, 0, sizeof(works));
	overflown = false;
	ends = false;
	waiting = 0;
	stuck = 0;
}
