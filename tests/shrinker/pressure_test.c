/* SPDX-License-Identifier: MIT */
/* The whole of it, with the test in the place of the reclaim thread. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "accounting/mem_cgroup.h"
#include "alloc/base/os.h"
#include "shrinker/pressure.h"
#include "tests/shrinker/fake_tree.h"

#define MIB	   (1l << 20)
#define PAGES(mib) ((mib)*MIB / (long)PAGE_SIZE)

/* Of a limit of 512 MiB. */
#define LOW  32
#define HIGH 48

static int kicks;
static bool has_thread = true;

static bool kick(void)
{
	atomic_add(&kicks, 1);
	return has_thread;
}

static void use(long mib)
{
	fake_level2("/a", "536870912", "max", mib * MIB, 0);
}

static void begin(void)
{
	fake_tree_make();
	fake_cgroup2("/a");
	use(100);
	pressure_kick = kick;
	pressure_configure(PRESSURE_ON, fake_tree());
	pressure_set_environment(NULL, NULL);
}

static void start(void)
{
	cr_assert_eq(pressure_start(), 0);
}

/* When it is to look again, as the thread would. */
static int64_t later(void)
{
	struct pollfd fds[PRESSURE_FDS];
	int n = pressure_poll_fds(fds, PRESSURE_FDS);

	cr_assert_geq(poll(fds, (nfds_t)n, pressure_timeout_ms()), 0);
	return pressure_pages(fds, n);
}

static int64_t high(void)
{
	return root_memcg.memory.level->high;
}

static int64_t usage(void)
{
	return root_memcg.memory.level->usage;
}

TestSuite(pressure, .init = begin, .fini = fake_tree_remove, .timeout = 30);

Test(pressure, is_none_while_there_is_room)
{
	start();
	cr_expect_eq(later(), 0);
	cr_expect_eq(later(), 0);
	/* 380 MiB are not filled within less than this. */
	cr_expect_gt(pressure_timeout_ms(), 300);
	cr_expect_leq(pressure_timeout_ms(), 380);
}

Test(pressure, has_the_root_stop_where_the_room_ends)
{
	start();
	cr_expect_eq(later(), 0);
	cr_expect_eq(high(), usage() + PAGES(512 - 100 - LOW));
	fake_level2("/a", "max", "max", 100 * MIB, 0);
	cr_expect_eq(later(), 0);
	cr_expect_eq(high(), COUNTERS_NO_LIMIT);
}

Test(pressure, asks_for_what_is_missing)
{
	start();
	use(500);
	cr_expect_eq(later(), PAGES(HIGH - 12));
	cr_expect_eq(high(), 0, "nobody takes what comes free before that is done");
	use(470);
	pressure_done(PAGES(30));
	cr_expect_eq(high(), usage() + PAGES(1), "nobody stops for each page");
	cr_expect_eq(pressure_timeout_ms(), 0);
	cr_expect_eq(later(), PAGES(HIGH - 42), "up to the high watermark");
	use(464);
	pressure_done(PAGES(6));
	cr_expect_eq(later(), 0);
	cr_expect_eq(high(), usage() + PAGES(HIGH - LOW));
	cr_expect_geq(pressure_timeout_ms(), 10);
}

/* Who grows the process does not rest either. */
Test(pressure, that_has_somebody_stop_does_not_rest)
{
	start();
	use(500);
	cr_expect_eq(later(), PAGES(36));
	pressure_done(0);
	pressure_machine_high(0);
	cr_expect_eq(pressure_pages(NULL, 0), PAGES(36));
}

/* The longer nothing helps, the longer it is left at that. */
Test(pressure, rests_when_nothing_helps)
{
	uint64_t begun = os_clock_ms();
	int rounds = 0, looks = 0;

	start();
	use(500);
	for (; os_clock_ms() - begun < 1000; looks++) {
		if (!later())
			continue;
		rounds++;
		pressure_done(PAGES(1)); /* of 36 */
	}
	cr_expect_geq(rounds, 3);
	cr_expect_leq(rounds, 7);
	cr_expect_leq(looks, 25);
	use(100);
	cr_expect_eq(later(), 0);
	use(500);
	while (!later())
		;
	pressure_done(PAGES(20));
	cr_expect_eq(later(), PAGES(36), "what helps is done again at once");
}

Test(pressure, is_not_looked_for_too_often)
{
	start();
	cr_expect_eq(later(), 0);
	use(500);
	cr_expect_eq(pressure_pages(NULL, 0), 0, "woken for another reason");
	cr_expect_eq(later(), PAGES(36));
}

Test(pressure, is_looked_for_when_the_root_stops)
{
	start();
	cr_expect_eq(later(), 0);
	use(500);
	pressure_machine_high(0);
	cr_expect_eq(kicks, 1);
	cr_expect_eq(pressure_pages(NULL, 0), PAGES(36));
}

static void *stopped(void *arg)
{
	pressure_machine_high(GFP_KERNEL);
	store_release((int *)arg, 1);
	return NULL;
}

Test(pressure, has_who_allocates_wait_for_the_round)
{
	pthread_t thread;
	int gone = 0;

	start();
	cr_expect_eq(later(), 0);
	use(500);
	cr_assert_eq(pthread_create(&thread, NULL, stopped, &gone), 0);
	while (!load_acquire(&kicks))
		os_sleep_us(100);
	cr_expect_eq(pressure_pages(NULL, 0), PAGES(36));
	os_sleep_us(20000);
	cr_expect(!load_acquire(&gone), "the round is not over");
	pressure_done(PAGES(36));
	pthread_join(thread, NULL);
}

Test(pressure, has_nobody_wait_for_long)
{
	uint64_t begun = os_clock_ms();

	start();
	pressure_machine_high(GFP_KERNEL); /* and the thread does nothing */
	cr_expect_geq(os_clock_ms() - begun, 90);
	cr_expect_leq(os_clock_ms() - begun, 2000);
	begun = os_clock_ms();
	pressure_machine_high(GFP_NOWAIT);
	cr_expect_leq(os_clock_ms() - begun, 90);
	has_thread = false;
	pressure_machine_high(GFP_KERNEL);
	cr_expect_leq(os_clock_ms() - begun, 90);
	cr_expect_eq(high(), usage() + PAGES(64));
}

/* The callback may want a lock that the caller has. */
Test(pressure, has_fewer_wait_where_it_is_in_vain)
{
	uint64_t least = UINT64_MAX;

	start();
	pressure_machine_high(GFP_KERNEL);
	for (int i = 0; i < 12; i++) {
		uint64_t begun = os_clock_ms();

		pressure_machine_high(GFP_KERNEL);
		least = min_t(uint64_t, least, os_clock_ms() - begun);
	}
	cr_expect_leq(least, 50);
}

static void write_fifo(void)
{
	int fd = open(fake_path("fifo"), O_WRONLY | O_NONBLOCK);

	cr_assert_eq(write(fd, "x", 1), 1);
	close(fd);
}

static void watch_fifo(void)
{
	cr_assert_eq(mkfifo(fake_path("fifo"), 0600), 0);
	pressure_set_environment(fake_path("fifo"), NULL);
	start();
}

/* An event has no number: more and more of what there is. */
Test(pressure, that_is_told_takes_a_share)
{
	static const int shares[] = {32, 16, 8, 4, 4};
	struct page_counter *counter = &process_memcg->memory;

	watch_fifo();
	cr_expect_eq(later(), 0);
	page_counter_charge(counter, PAGES(512));
	for (size_t i = 0; i < ARRAY_SIZE(shares); i++) {
		int64_t pages;

		write_fifo();
		pages = later();
		cr_expect_eq(pages, usage() / shares[i]);
		pressure_done(0);
	}
	cr_expect_eq(later(), 0);
	page_counter_uncharge(counter, PAGES(512));
}

Test(pressure, that_is_told_does_not_rest)
{
	watch_fifo();
	use(500);
	cr_expect_eq(later(), PAGES(36));
	pressure_done(0);
	write_fifo();
	cr_expect_eq(later(), PAGES(1), "of the little that this uses");
	pressure_done(0);
}

Test(pressure, from_the_file_of_the_cgroup_first)
{
	char text[64] = "";
	FILE *file;

	fake_write("proc/pressure/memory", "%s", "");
	fake_write("sys/fs/cgroup/a/memory.pressure", "%s", "");
	start();
	file = fopen(fake_path("sys/fs/cgroup/a/memory.pressure"), "r");
	cr_expect_gt(fread(text, 1, sizeof(text) - 1, file), 0);
	cr_expect_str_eq(text, "some 150000 1000000");
	fclose(file);
}

Test(pressure, from_the_file_of_the_machine_else)
{
	struct pollfd fds[PRESSURE_FDS];

	fake_write("proc/pressure/memory", "%s", "");
	start();
	cr_expect_eq(pressure_poll_fds(fds, PRESSURE_FDS), 1);
	cr_expect_eq(fds[0].events, POLLPRI);
	cr_expect_eq(pressure_poll_fds(fds, 0), 0);
}

Test(pressure, is_left_alone_where_it_is_not_wanted)
{
	pressure_configure(PRESSURE_AUTO, fake_tree());
	cr_expect(pressure_is_wanted());
	pressure_set_environment("/dev/null", NULL);
	cr_expect(!pressure_is_wanted());
	cr_expect_neq(pressure_start(), 0);
	cr_expect_eq(pressure_timeout_ms(), -1);
	cr_expect_eq(pressure_pages(NULL, 0), 0);
	pressure_configure(PRESSURE_ON, fake_tree());
	cr_expect(pressure_is_wanted());
	pressure_configure(PRESSURE_OFF, fake_tree());
	pressure_set_environment(NULL, NULL);
	cr_expect(!pressure_is_wanted());
}

static void close_high(void)
{
	for (int fd = 1000; fd < 1100; fd++)
		close(fd);
}

Test(pressure, begins_with_the_first_shrinker)
{
	cr_expect(pressure_begin());
	cr_expect_eq(kicks, 1);
	cr_expect_eq(high(), COUNTERS_NO_LIMIT);
	pressure_configure(PRESSURE_OFF, fake_tree());
	cr_expect(!pressure_begin());
	cr_expect_eq(kicks, 1);
}

Test(pressure, begins_later_where_threads_cannot_be_had)
{
	has_thread = false;
	cr_expect(!pressure_begin());
	cr_expect_eq(high(), usage() + PAGES(64), "when so much more is used");
	has_thread = true;
	pressure_machine_high(0);
	cr_expect_eq(kicks, 2);
}

/* As daemons do. */
Test(pressure, survives_a_program_that_closes_all)
{
	start();
	cr_expect_eq(later(), 0);
	close_high();
	use(500);
	for (int i = 0; i < 30; i++)
		if (later() == PAGES(36))
			return;
	cr_assert_fail("it never looked again");
}

Test(pressure, follows_to_another_cgroup)
{
	start();
	cr_expect_eq(later(), 0);
	fake_cgroup2("/b");
	fake_level2("/b", "268435456", "max", 250 * MIB, 0);
	close_high(); /* so that it looks sooner */
	for (int i = 0; i < 30; i++)
		if (later() == PAGES(24 - 6))
			return;
	cr_assert_fail("it never looked there");
}

Test(pressure, begins_anew_in_a_child)
{
	struct pollfd fds[PRESSURE_FDS];
	int status;
	pid_t pid;

	watch_fifo();
	cr_expect_eq(later(), 0);
	cr_assert_eq(pressure_poll_fds(fds, PRESSURE_FDS), 1);
	pid = fork();
	if (!pid) {
		bool good;

		pressure_fork_child();
		good = fcntl(fds[0].fd, F_GETFD) < 0 && pressure_timeout_ms() == -1;
		use(500);
		good = good && !pressure_start() && later() == PAGES(36);
		_exit(good ? 0 : 1);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect_eq(status, 0);
	use(100);
	write_fifo();
	cr_expect_gt(later(), 0, "the parent has its own");
}
