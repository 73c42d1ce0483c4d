/* SPDX-License-Identifier: MIT */
#include "shrinker/doorbell.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "alloc/base/os.h"

#define SOON_MS 500 /* what takes that long did not happen by itself */

static uint32_t bell, seen;
static struct pollfd fds[2];
static int other[2]; /* a pipe to be watched */

static void init(void)
{
	doorbell_init(&bell);
}

static void watch(void)
{
	init();
	cr_assert_eq(pipe(other), 0);
	fds[0] = (struct pollfd){.fd = other[0], .events = POLLIN};
}

/* How long the thread that waits was asleep, in ms. */
static uint64_t sleep_until_rung(int n, int timeout_ms)
{
	uint64_t start = os_clock_ms();

	doorbell_wait(seen, fds, n, timeout_ms);
	return os_clock_ms() - start;
}

static void *ring_later(void *arg)
{
	(void)arg;
	os_sleep_us(50000);
	doorbell_ring();
	return NULL;
}

static uint64_t sleep_and_be_rung(int n)
{
	pthread_t thread;
	uint64_t ms;

	seen = doorbell_read();
	pthread_create(&thread, NULL, ring_later, NULL);
	ms = sleep_until_rung(n, 10 * SOON_MS);
	pthread_join(thread, NULL);
	cr_expect_neq(doorbell_read(), seen);
	return ms;
}

Test(doorbell, a_ring_before_the_wait_is_not_lost, .init = init)
{
	seen = doorbell_read();
	doorbell_ring();
	cr_expect_lt(sleep_until_rung(0, 10 * SOON_MS), SOON_MS);
}

Test(doorbell, a_ring_before_the_poll_is_not_lost, .init = watch)
{
	seen = doorbell_read();
	doorbell_ring();
	cr_expect_lt(sleep_until_rung(1, 10 * SOON_MS), SOON_MS);
}

Test(doorbell, wakes_the_sleeper, .init = init)
{
	uint64_t ms = sleep_and_be_rung(0);

	cr_expect(ms >= 20 && ms < SOON_MS, "%lu ms", ms);
}

Test(doorbell, wakes_the_sleeper_in_poll, .init = watch)
{
	for (int i = 0; i < 3; i++) {
		uint64_t ms = sleep_and_be_rung(1);

		cr_expect(ms >= 20 && ms < SOON_MS, "%lu ms", ms);
		cr_expect_eq(fds[0].revents, 0);
	}
}

Test(doorbell, time_passes_without_a_ring, .init = watch)
{
	seen = doorbell_read();
	cr_expect_geq(sleep_until_rung(0, 50), 40);
	cr_expect_geq(sleep_until_rung(1, 50), 40);
	cr_expect_lt(sleep_until_rung(0, 0), SOON_MS);
	cr_expect_lt(sleep_until_rung(1, 0), SOON_MS);
}

Test(doorbell, a_descriptor_wakes_it, .init = watch)
{
	seen = doorbell_read();
	cr_assert_eq(write(other[1], "x", 1), 1);
	cr_expect_lt(sleep_until_rung(1, 10 * SOON_MS), SOON_MS);
	cr_expect(fds[0].revents & POLLIN);
}

static bool child_is_well(void (*child)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		child();
		_exit(1);
	}
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Programs do that when they become a daemon; others have the numbers then. */
static void close_all(void)
{
	bool well = sleep_and_be_rung(1) < SOON_MS;

	closefrom(3);
	watch();
	well &= sleep_and_be_rung(1) < SOON_MS;
	well &= sleep_and_be_rung(1) < SOON_MS;
	_exit(!well);
}

Test(doorbell, finds_its_descriptors_closed_and_makes_others, .init = watch)
{
	cr_expect(child_is_well(close_all));
}

static int flags_of_new(int before)
{
	int flags = 0;

	for (int fd = 3; fd < 1024; fd++)
		if (fd != other[0] && fd != other[1] && fd > before && fcntl(fd, F_GETFD) >= 0)
			flags |= fcntl(fd, F_GETFD);
	return flags;
}

static int next_descriptor(void)
{
	int fd = dup(0);

	close(fd);
	return fd;
}

Test(doorbell, its_descriptors_are_high_and_not_inherited, .init = watch)
{
	int before = next_descriptor();

	cr_expect_lt(sleep_and_be_rung(1), SOON_MS);
	cr_expect_eq(next_descriptor(), before, "low ones are the program's");
	cr_expect_eq(flags_of_new(before), FD_CLOEXEC);
}

static void ring_as_child(void)
{
	doorbell_lost();
	_exit(sleep_and_be_rung(1) >= SOON_MS);
}

Test(doorbell, a_child_rings_its_own, .init = watch)
{
	cr_expect_lt(sleep_and_be_rung(1), SOON_MS);
	cr_expect(child_is_well(ring_as_child));
	seen = doorbell_read();
	cr_expect_geq(sleep_until_rung(1, 50), 40, "nothing of the child's is heard");
	cr_expect_lt(sleep_and_be_rung(1), SOON_MS);
}

/* As another process does it. */
static void *knock_later(void *arg)
{
	(void)arg;
	os_sleep_us(50000);
	__atomic_add_fetch(&bell, 1, __ATOMIC_RELEASE);
	os_futex_wake_shared(&bell);
	return NULL;
}

static uint64_t sleep_and_be_knocked(int n)
{
	pthread_t thread;
	uint64_t ms;

	seen = doorbell_read();
	pthread_create(&thread, NULL, knock_later, NULL);
	ms = sleep_until_rung(n, 10 * SOON_MS);
	pthread_join(thread, NULL);
	return ms;
}

Test(doorbell, can_be_rung_from_outside, .init = watch)
{
	cr_expect_lt(sleep_and_be_knocked(0), SOON_MS);
	cr_expect_lt(sleep_and_be_knocked(1), 4 * SOON_MS);
}
