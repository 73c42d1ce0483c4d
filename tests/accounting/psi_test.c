/* SPDX-License-Identifier: MIT */
/* memory.pressure: the arithmetic, by a clock of the test's, and who is stalled, by the real one.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cgslab/memcg.h>
#include <cgslab/slab.h>

#include "accounting/memcg_more.h"
#include "alloc/base/os.h"

#define SECOND 1000000ul
#define START  (1000 * SECOND)

/* ---- The arithmetic --------------------------------------------------------- */

static struct psi_times times;

static double percent(enum psi_state state, enum psi_span span)
{
	return times.avg[state][span] / (double)(1 << PSI_FRACTION_BITS);
}

/* What an exact average of so many seconds would have after @t of a full stall. */
static double exact(double seconds, double t)
{
	return 100 * (1 - exp(-t / seconds));
}

static void start(void)
{
	psi_advance(&times, START);
}

Test(psi_times, first_period_of_a_stall, .init = start)
{
	psi_change(&times, START, true, false);
	psi_advance(&times, START + 2 * SECOND - 1);
	cr_expect_eq(times.avg[PSI_SOME][PSI_10S], 0, "the period is not over");
	cr_expect_eq(times.total[PSI_SOME], 2 * SECOND - 1);
	psi_advance(&times, START + 2 * SECOND);
	cr_expect_eq(times.avg[PSI_SOME][PSI_10S], 37100); /* (204800 * 371 + 2047) / 2048 */
	cr_expect_eq(times.avg[PSI_SOME][PSI_60S], 6700);  /* (204800 * 67 + 2047) / 2048 */
	cr_expect_eq(times.avg[PSI_SOME][PSI_300S], 1400); /* (204800 * 14 + 2047) / 2048 */
	cr_expect_eq(times.total[PSI_FULL], 0);
	cr_expect_eq(times.avg[PSI_FULL][PSI_10S], 0);
}

Test(psi_times, rises_and_falls_exponentially, .init = start)
{
	static const double seconds[NR_PSI_SPANS] = {10, 60, 300};
	uint64_t now = START;
	double top;

	psi_change(&times, now, true, true);
	for (int t = 2; t <= 60; t += 2) {
		psi_advance(&times, now += 2 * SECOND);
		for (int span = 0; span < NR_PSI_SPANS; span++)
			cr_expect_float_eq(percent(PSI_FULL, span), exact(seconds[span], t), 0.5,
					   "%d s: %f", t, percent(PSI_FULL, span));
	}
	psi_change(&times, now, false, false);
	top = percent(PSI_SOME, PSI_60S);
	psi_advance(&times, now += 30 * SECOND);
	cr_expect_float_eq(percent(PSI_SOME, PSI_60S), top * exp(-0.5), 0.5);
	psi_advance(&times, now += 3600 * SECOND);
	cr_expect_eq(times.avg[PSI_SOME][PSI_300S], 0);
	cr_expect_eq(times.total[PSI_SOME], 60 * SECOND);
}

Test(psi_times, a_share_of_each_period, .init = start)
{
	uint64_t now = START;

	for (int i = 0; i < 1000; i++, now += 2 * SECOND) {
		psi_change(&times, now, true, false);
		psi_change(&times, now + SECOND / 2, true, true);
		psi_change(&times, now + SECOND, false, false);
	}
	psi_advance(&times, now);
	for (int span = 0; span < NR_PSI_SPANS; span++) {
		cr_expect_float_eq(percent(PSI_SOME, span), 50, 0.5);
		cr_expect_float_eq(percent(PSI_FULL, span), 25, 0.5);
	}
	cr_expect_eq(times.total[PSI_SOME], 1000 * SECOND);
	cr_expect_eq(times.total[PSI_FULL], 500 * SECOND);
}

/* Looking often or never comes to the same: missed periods are caught up. */
Test(psi_times, missed_periods_are_caught_up, .init = start)
{
	struct psi_times often;
	uint64_t end = START + 100 * SECOND + 123;

	psi_change(&times, START + SECOND, true, false);
	often = times;
	for (uint64_t now = START + SECOND; now < START + 60 * SECOND; now += 77777)
		psi_advance(&often, now);
	psi_change(&often, START + 60 * SECOND, false, false);
	psi_change(&times, START + 60 * SECOND, false, false);
	cr_expect_arr_eq(&often.avg, &times.avg, sizeof(times.avg));
	for (uint64_t now = START + 60 * SECOND; now < end; now += 77777)
		psi_advance(&often, now);
	psi_advance(&often, end);
	psi_advance(&times, end);
	for (int span = 0; span < NR_PSI_SPANS; span++) /* powers round otherwise */
		cr_expect_leq(abs((int)often.avg[PSI_SOME][span] - (int)times.avg[PSI_SOME][span]),
			      40);
	cr_expect_eq(often.total[PSI_SOME], 59 * SECOND);
	cr_expect_eq(times.total[PSI_SOME], 59 * SECOND);
	cr_expect_eq(often.period_end, times.period_end);
}

Test(psi_times, a_clock_that_is_behind_changes_nothing, .init = start)
{
	psi_change(&times, START + SECOND, true, false);
	psi_change(&times, START + SECOND / 2, false, false);
	psi_advance(&times, START + 3 * SECOND);
	cr_expect_eq(times.total[PSI_SOME], 0);
}

/* ---- Threads ------------------------------------------------------------------ */

#define STALL_MS 50

static struct mem_cgroup *memcg, *child;

static void make(void)
{
	memcg = mem_cgroup_create(NULL, "psi");
	child = mem_cgroup_create(memcg, "child");
	cr_assert(memcg && child);
}

static struct mem_cgroup_pressure pressure_of(struct mem_cgroup *of)
{
	struct mem_cgroup_pressure pressure = {.size = sizeof(pressure)};

	cr_assert_eq(mem_cgroup_pressure(of, &pressure), 0);
	return pressure;
}

static void stall(struct mem_cgroup *in)
{
	struct psi_stall outer, inner;

	psi_memstall_enter(in, &outer);
	psi_memstall_enter(in, &inner);
	os_sleep_us(STALL_MS * 1000 / 2);
	psi_memstall_leave(&inner);
	os_sleep_us(STALL_MS * 1000 / 2);
	psi_memstall_leave(&outer);
	os_sleep_us(STALL_MS * 1000 / 2);
}

static void expect_stall(const struct mem_cgroup_pressure_line *line, unsigned int stalls)
{
	cr_expect_geq(line->total_us, stalls * STALL_MS * 1000ul);
	cr_expect_leq(line->total_us, (stalls + 20) * STALL_MS * 1000ul);
}

Test(psi, the_only_thread_inside, .init = make)
{
	struct mem_cgroup_pressure pressure;

	cr_expect_eq(pressure_of(memcg).some.total_us, 0);
	set_active_memcg(child);
	stall(child);
	pressure = pressure_of(child);
	expect_stall(&pressure.some, 1);
	cr_expect_eq(pressure.full.total_us, pressure.some.total_us);
	pressure = pressure_of(memcg);
	expect_stall(&pressure.some, 1);
	cr_expect_eq(pressure.full.total_us, pressure.some.total_us);
	expect_stall(
		&(struct mem_cgroup_pressure_line){.total_us = memcg->memory.record->stall_full},
		1);
	pressure.size = 1;
	cr_expect_eq(mem_cgroup_pressure(memcg, &pressure), -EINVAL);
}

static pthread_barrier_t inside;

static void *be_inside_the_parent(void *arg)
{
	(void)arg;
	set_active_memcg(memcg);
	pthread_barrier_wait(&inside);
	pthread_barrier_wait(&inside);
	return NULL;
}

Test(psi, another_thread_goes_on, .init = make)
{
	struct mem_cgroup_pressure pressure;
	pthread_t thread;

	pthread_barrier_init(&inside, NULL, 2);
	cr_assert_eq(pthread_create(&thread, NULL, be_inside_the_parent, NULL), 0);
	pthread_barrier_wait(&inside);
	set_active_memcg(child);
	stall(child);
	pressure = pressure_of(memcg);
	expect_stall(&pressure.some, 1);
	cr_expect_eq(pressure.full.total_us, 0);
	pressure = pressure_of(child);
	cr_expect_eq(pressure.full.total_us, pressure.some.total_us);
	pthread_barrier_wait(&inside);
	pthread_join(thread, NULL);
}

static void *stall_too(void *arg)
{
	set_active_memcg(memcg);
	pthread_barrier_wait(&inside);
	stall(memcg);
	pthread_barrier_wait(&inside);
	return arg;
}

/* Both at once: time is counted once, and as full while none goes on. */
Test(psi, all_threads_are_stalled, .init = make)
{
	struct mem_cgroup_pressure pressure;
	struct psi_stall outer;
	pthread_t thread;

	pthread_barrier_init(&inside, NULL, 2);
	set_active_memcg(child);
	cr_assert_eq(pthread_create(&thread, NULL, stall_too, NULL), 0);
	pthread_barrier_wait(&inside);
	psi_memstall_enter(child, &outer);
	pthread_barrier_wait(&inside);
	psi_memstall_leave(&outer);
	pthread_join(thread, NULL);
	pressure = pressure_of(memcg);
	expect_stall(&pressure.some, 1);
	cr_expect_gt(pressure.full.total_us, 0);
	cr_expect_lt(pressure.full.total_us, pressure.some.total_us);
}

Test(psi, the_file, .init = make)
{
	char text[256], again[256];
	unsigned long some, full;
	long len;

	len = mem_cgroup_read(memcg, "memory.pressure", text, sizeof(text));
	cr_expect_str_eq(text, "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"
			       "full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n");
	cr_expect_eq(len, (long)strlen(text));
	set_active_memcg(memcg);
	stall(memcg);
	mem_cgroup_read(memcg, "memory.pressure", text, sizeof(text));
	cr_assert_eq(sscanf(text,
			    "some avg10=0.00 avg60=0.00 avg300=0.00 total=%lu\n"
			    "full avg10=0.00 avg60=0.00 avg300=0.00 total=%lu\n",
			    &some, &full),
		     2, "%s", text);
	cr_expect_eq(some, full);
	memcg_more_if_any(memcg)->psi.times.avg[PSI_SOME][PSI_60S] = 37100;
	memcg_more_if_any(memcg)->psi.times.avg[PSI_FULL][PSI_300S] = 2048 * 7 + 123;
	mem_cgroup_read(memcg, "memory.pressure", again, sizeof(again));
	cr_expect(strstr(again, "some avg10=0.00 avg60=18.11 avg300=0.00 total="), "%s", again);
	cr_expect(strstr(again, "full avg10=0.00 avg60=0.00 avg300=7.06 total="), "%s", again);
	cr_expect_eq(mem_cgroup_write(memcg, "memory.pressure", "some 1 1"), -EACCES);
}

static void *stall_until_told(void *arg)
{
	struct psi_stall outer;

	set_active_memcg(child);
	psi_memstall_enter(child, &outer);
	pthread_barrier_wait(&inside);
	pthread_barrier_wait(&inside);
	psi_memstall_leave(&outer);
	return arg;
}

/* The thread that is stalled is not there in the child, and is stalled for ever in no group. */
Test(psi, a_forked_child_is_not_stalled, .init = make)
{
	pthread_t thread;
	int status;
	pid_t pid;

	pthread_barrier_init(&inside, NULL, 2);
	cr_assert_eq(pthread_create(&thread, NULL, stall_until_told, NULL), 0);
	pthread_barrier_wait(&inside);
	pid = fork();
	if (pid == 0) {
		uint64_t total = pressure_of(child).some.total_us;

		os_sleep_us(20000);
		_exit(pressure_of(child).some.total_us != total);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect_eq(status, 0);
	pthread_barrier_wait(&inside);
	pthread_join(thread, NULL);
	cr_expect_gt(pressure_of(child).some.total_us, 20000);
}

/* The one that forks within a stall is. */
Test(psi, a_forked_child_of_a_stalled_thread, .init = make)
{
	struct psi_stall outer;
	int status;
	pid_t pid;

	set_active_memcg(child);
	psi_memstall_enter(child, &outer);
	pid = fork();
	if (pid == 0) {
		uint64_t total = pressure_of(memcg).full.total_us;
		bool good;

		os_sleep_us(20000);
		psi_memstall_leave(&outer);
		good = pressure_of(memcg).full.total_us >= total + 20000;
		total = pressure_of(memcg).full.total_us;
		os_sleep_us(20000);
		_exit(!good || pressure_of(memcg).full.total_us != total);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect_eq(status, 0);
	psi_memstall_leave(&outer);
}

static bool enough;

static void *stall_all_the_time(void *arg)
{
	struct psi_stall outer;

	set_active_memcg(arg);
	while (!READ_ONCE(enough)) {
		psi_memstall_enter(arg, &outer);
		psi_memstall_leave(&outer);
	}
	set_active_memcg(NULL);
	return NULL;
}

/* Forks come amid changes, of a removed group too: nobody is stuck, or stalled for ever. */
Test(psi, forks_amid_stalls, .init = make)
{
	struct mem_cgroup *dead = mem_cgroup_create(memcg, "dead");
	struct psi_stall outer;
	pthread_t threads[2];

	cr_assert_eq(pthread_create(&threads[0], NULL, stall_all_the_time, memcg), 0);
	cr_assert_eq(pthread_create(&threads[1], NULL, stall_all_the_time, child), 0);
	psi_memstall_enter(dead, &outer);
	cr_assert_eq(mem_cgroup_rmdir(dead), 0);
	for (int i = 0; i < 100; i++) {
		int status;
		pid_t pid = fork();

		if (pid == 0) {
			uint64_t total;

			psi_memstall_leave(&outer);
			total = pressure_of(dead).some.total_us + pressure_of(memcg).some.total_us;
			os_sleep_us(1000);
			_exit(pressure_of(dead).some.total_us + pressure_of(memcg).some.total_us !=
			      total);
		}
		cr_assert_eq(waitpid(pid, &status, 0), pid);
		cr_assert_eq(status, 0);
	}
	psi_memstall_leave(&outer);
	WRITE_ONCE(enough, true);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	mem_cgroup_put(dead);
}
