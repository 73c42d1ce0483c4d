/* SPDX-License-Identifier: MIT */
#include "shrinker/pressure.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include "accounting/mem_cgroup.h"
#include "shrinker/headroom.h"
#include "shrinker/pressure_watch.h"

/* Nobody fills memory faster than so many pages a millisecond: 1 GiB a second. */
#define PAGES_PER_MS ((1l << 30) / PAGE_SIZE / 1000)

/* Between two looks; the process may have been at work since the last, or not. */
#define LEAST_MS 10
#define IDLE_MS	 50
#define MOST_MS	 5000

/* os_clock_ms() may be late by this. */
#define CLOCK_MS 4

/* The process may be put into another cgroup; mounts may come and go. */
#define REOPEN_MS 10000
#define LOST_MS	  1000 /* a file that was there is not any more */

/* After as many rounds that gave nothing, so many ms << rounds without another. */
#define REST_MS	   20
#define REST_SHIFT 7

/* Less than this part of what was asked for is nothing. */
#define FRUIT_SHARE 16

/* A process may grow by this between two stops, however short memory is. */
#define STEP_PAGES ((1l << 20) >> PAGE_SHIFT)

/* Where the thread cannot be started: when it is tried again. */
#define LONG_STEP_PAGES ((64l << 20) >> PAGE_SHIFT)

/* A charge waits for the thread so long; and so long once that got nowhere for some time. */
#define WAIT_MS	 100
#define STUCK_MS 10
#define VAIN_MS	 500
#define NEVER	 UINT32_MAX

/*
 * An event says not how much is missing. So it is 1/32 of what the process uses,
 * twice as much with the next, up to 1/4; and less again when there was none for a
 * while.
 */
#define FIRST_SHIFT 5
#define LAST_SHIFT  2
#define CALM_MS	    10000

static enum pressure_mode mode;			/* const after pressure_configure() */
static char root[256];				/* likewise */
static struct pressure_environment environment; /* const after read_environment() */

static uint32_t asked;	/* atomic: pressure_machine_high() wants a look */
static uint32_t rounds; /* atomic: looks after which nothing, or nothing more, was to be done */

/* Atomic: the value of rounds while which somebody has waited in vain, and since when. */
static uint32_t vain = NEVER;
static uint64_t vain_since;

/* All else: the thread, or pressure_fork_child(). */
static bool started;				      /* atomic, for others to read */
static struct kept_file cgroup_file = KEPT_FILE_NONE; /* /proc/self/cgroup */
static char cgroups[PATH_MAX + 1024];		      /* what it said */
static struct headroom headroom;
static struct pressure_watch watch = {.file = KEPT_FILE_NONE};
static uint64_t opened_at, next_look, rest_until, last_event; /* os_clock_ms() */
static bool lost;					      /* a file that the last look wanted */
static int64_t last_usage;				      /* at the last look */
static int64_t due;	   /* pages that the last look found wanting */
static unsigned int rests; /* rounds in a row that gave nothing */
static unsigned int event_shift = FIRST_SHIFT;

/* No thread can change the environment yet. */
__attribute__((constructor(102))) static void read_environment(void)
{
	/* As preload_start(): not secure_getenv(). */
	if (!getauxval(AT_SECURE))
		pressure_set_environment(getenv("MEMORY_PRESSURE_WATCH"),
					 getenv("MEMORY_PRESSURE_WRITE"));
}

void pressure_set_environment(const char *watched, const char *written)
{
	pressure_environment_set(&environment, watched, written);
}

void pressure_configure(enum pressure_mode new_mode, const char *new_root)
{
	mode = new_mode;
	if (strlen(new_root) < sizeof(root))
		strcpy(root, new_root);
}

bool pressure_is_wanted(void)
{
	return mode == PRESSURE_ON ||
	       (mode == PRESSURE_AUTO && !pressure_environment_forbids(&environment));
}

bool (*pressure_kick)(void);

/* ---- What is looked at ----------------------------------------------- */

/* The length of such a path fits: @root and a name of ours. */
#define ROOT_PATH_MAX (sizeof(root) + 64)

static void open_machine_pressure(void)
{
	char path[ROOT_PATH_MAX];

	snprintf(path, sizeof(path), "%s/proc/pressure/memory", root);
	pressure_watch_open(&watch, path);
}

/* That of our cgroup tells of us alone; it is there also if nothing is limited. */
static int open_cgroup_pressure(void)
{
	char path[PATH_MAX + 64];
	struct cgroup_place place;

	if (cgroup_place_find(&place, CGROUP_V2, root, cgroups))
		return -ENOENT;
	snprintf(path, sizeof(path), "%s/memory.pressure", place.path);
	return pressure_watch_open(&watch, path);
}

static void open_watch(void)
{
	bool named = environment.path[0] && !pressure_environment_forbids(&environment);

	if (named && !pressure_watch_open_named(&watch, &environment))
		return;
	if (open_cgroup_pressure())
		open_machine_pressure();
}

static void open_all(uint64_t now)
{
	char path[ROOT_PATH_MAX];

	snprintf(path, sizeof(path), "%s/proc/self/cgroup", root);
	cgroups[0] = '\0';
	if (!kept_file_open(&cgroup_file, path, O_RDONLY))
		kept_file_read(&cgroup_file, cgroups, sizeof(cgroups));
	headroom_open(&headroom, root, cgroups);
	open_watch();
	opened_at = now;
}

static void close_all(void)
{
	kept_file_close(&cgroup_file);
	headroom_close(&headroom);
	pressure_watch_close(&watch);
}

static bool cgroup_has_changed(void)
{
	char text[sizeof(cgroups)];

	return kept_file_read(&cgroup_file, text, sizeof(text)) < 0 || strcmp(text, cgroups) != 0;
}

static bool is_stale(uint64_t now)
{
	if (now - opened_at < (lost ? LOST_MS : REOPEN_MS))
		return false;
	opened_at = now;
	return lost || cgroup_has_changed() || !kept_file_is_open(&watch.file);
}

int pressure_start(void)
{
	if (!pressure_is_wanted())
		return -ENOENT;
	if (!started)
		open_all(os_clock_ms());
	WRITE_ONCE(started, true);
	return 0;
}

void pressure_fork_child(void)
{
	if (started)
		close_all();
	WRITE_ONCE(started, false);
	vain = NEVER;
	rests = 0;
	rest_until = next_look = 0;
}

int pressure_poll_fds(struct pollfd *fds, int max)
{
	if (!started || max < 1 || !kept_file_is_open(&watch.file))
		return 0;
	fds[0] = (struct pollfd){.fd = watch.file.fd, .events = watch.events};
	return 1;
}

static bool watch_has_fired(const struct pollfd *fds, int n)
{
	for (int i = 0; i < n; i++)
		if (fds[i].fd == watch.file.fd && fds[i].revents)
			return pressure_watch_fired(&watch, fds[i].revents);
	return false;
}

/* ---- How much, and when ---------------------------------------------- */

static int64_t usage(void)
{
	return READ_ONCE(root_memcg.memory.level->usage);
}

/* From there on a charge stops and has us look: pressure_machine_high(). */
static void set_high(int64_t room)
{
	int64_t high = room < COUNTERS_NO_LIMIT ? usage() + room : COUNTERS_NO_LIMIT;

	counters_own();
	WRITE_ONCE(root_memcg.memory.level->high, high);
}

/* Returns whether there is a thread; else it is tried again later. */
static bool kick(void)
{
	if (pressure_kick && pressure_kick())
		return true;
	set_high(LONG_STEP_PAGES);
	return false;
}

bool pressure_begin(void)
{
	return pressure_is_wanted() && kick();
}

static uint64_t pause_ms(const struct headroom_sample *sample)
{
	int64_t ms = sample->wanted ? 0 : sample->room / PAGES_PER_MS;
	int64_t most = sample->lost ? LOST_MS : MOST_MS;
	int64_t now = usage(), least = now == last_usage ? IDLE_MS : LEAST_MS;

	last_usage = now;
	return (uint64_t)max_t(int64_t, least, min_t(int64_t, ms, most));
}

/* Returns the pages that are missing for the levels that are short. */
static int64_t look(uint64_t now)
{
	struct headroom_sample sample;

	if (is_stale(now)) {
		close_all();
		open_all(now);
	}
	sample = headroom_look(&headroom);
	lost = sample.lost;
	set_high(max_t(int64_t, sample.room, STEP_PAGES));
	next_look = now + pause_ms(&sample);
	return sample.wanted;
}

static int64_t pages_of_event(uint64_t now)
{
	if (now - last_event > CALM_MS)
		event_shift = FIRST_SHIFT;
	else if (event_shift > LAST_SHIFT)
		event_shift--;
	last_event = now;
	return max_t(int64_t, usage() >> event_shift, STEP_PAGES);
}

int pressure_timeout_ms(void)
{
	uint64_t now = os_clock_ms();

	if (!started)
		return -1;
	return next_look > now ? (int)(next_look - now) + CLOCK_MS : 0;
}

/* Whoever waits in pressure_machine_high() goes on. */
static void round_is_over(void)
{
	atomic_add(&rounds, 1);
	os_futex_wake_all(&rounds);
}

int64_t pressure_pages(const struct pollfd *fds, int n)
{
	uint64_t now = os_clock_ms();
	int64_t pages = 0, share = 0;
	bool fired, must;

	if (!started)
		return 0;
	fired = watch_has_fired(fds, n);
	must = atomic_xchg(&asked, 0u); /* pairs with pressure_machine_high() */
	if (!fired && !must && now < next_look)
		return 0;
	due = look(now);
	if (must || now >= rest_until) /* what helped nobody may help when more is used */
		pages = due;
	if (fired)
		share = pages_of_event(now);
	pages = max_t(int64_t, pages, share);
	if (!pages)
		round_is_over();
	else if (due)
		set_high(-usage()); /* who charges waits: objects that go free no page at once */
	return pages;
}

void pressure_done(int64_t freed)
{
	uint64_t now = os_clock_ms();

	if (due)
		set_high(STEP_PAGES); /* until the next look */
	if (freed >= max_t(int64_t, due / FRUIT_SHARE, 1)) {
		rests = 0;
		if (due)
			next_look = now; /* perhaps there is more to do */
	} else if (due) {
		rests = min_t(unsigned int, rests + 1, REST_SHIFT);
		rest_until = now + (REST_MS << rests);
	}
	round_is_over();
}

/* How long to wait for the round that was not over when rounds was @seen. */
static unsigned int patience(uint32_t seen)
{
	bool in_vain = READ_ONCE(vain) == seen && os_clock_ms() - READ_ONCE(vain_since) >= VAIN_MS;

	return in_vain ? STUCK_MS : WAIT_MS;
}

/*
 * What the callbacks wait for may be what the caller holds: where some have waited in
 * vain for long, the others do not. It may also be that the thread gets no CPU.
 */
static void wait_for_round(uint32_t seen)
{
	int64_t before = usage();

	os_futex_wait_for(&rounds, seen, patience(seen));
	if (load_acquire(&rounds) != seen)
		return;
	if (usage() < before) {
		WRITE_ONCE(vain, NEVER);
	} else if (READ_ONCE(vain) != seen) {
		WRITE_ONCE(vain_since, os_clock_ms());
		WRITE_ONCE(vain, seen);
	}
}

void pressure_machine_high(gfp_t gfp)
{
	uint32_t seen = load_acquire(&rounds);

	if (!READ_ONCE(started))
		set_high(STEP_PAGES); /* what starts the thread allocates */
	store_release(&asked, 1u);    /* pairs with pressure_pages() */
	if (kick() && (gfp & __GFP_DIRECT_RECLAIM))
		wait_for_round(seen);
}
