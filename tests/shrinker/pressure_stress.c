/* SPDX-License-Identifier: MIT */
/*
 * Threads that cross the root's high again and again, a thread that looks for them, and a container
 * that is short of memory now and then. Nobody is left waiting, and nobody is asked to wait for
 * long.
 */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "accounting/mem_cgroup.h"
#include "alloc/base/os.h"
#include "shrinker/pressure.h"
#include "tests/shrinker/fake_tree.h"

#define THREADS	   4
#define SECONDS_MS 2000
#define MIB	   (1l << 20)

static uint32_t bell;	/* atomic; also a futex */
static int over;	/* atomic */
static long long waits; /* atomic */

static bool ring(void)
{
	atomic_add(&bell, 1);
	os_futex_wake(&bell);
	return true;
}

static void *look(void *arg)
{
	long rounds = 0;

	(void)arg;
	if (pressure_start())
		abort();
	while (!load_acquire(&over)) {
		struct pollfd fds[PRESSURE_FDS];
		uint32_t seen = load_acquire(&bell);
		int n = pressure_poll_fds(fds, PRESSURE_FDS);
		int64_t pages = pressure_pages(fds, n);

		if (pages) {
			rounds++;
			pressure_done(rounds % 3 ? pages : 0);
		} else {
			os_futex_wait_for(&bell, seen, (unsigned int)pressure_timeout_ms());
		}
	}
	return NULL;
}

static void *allocate(void *arg)
{
	(void)arg;
	while (!load_acquire(&over)) {
		uint64_t begun = os_clock_ms();

		pressure_machine_high(GFP_KERNEL);
		atomic_add(&waits, 1);
		if (os_clock_ms() - begun > 30000) {
			fprintf(stderr, "waited for %d ms\n", (int)(os_clock_ms() - begun));
			exit(1);
		}
	}
	return NULL;
}

static void use(long mib)
{
	fake_level2("/a", "536870912", "max", mib * MIB, 0);
}

int main(void)
{
	pthread_t threads[THREADS + 1];
	uint64_t end = os_clock_ms() + SECONDS_MS;

	mem_cgroup_root();
	fake_tree_make();
	fake_cgroup2("/a");
	use(100);
	pressure_kick = ring;
	pressure_configure(PRESSURE_ON, fake_tree());
	for (int i = 0; i <= THREADS; i++)
		if (pthread_create(&threads[i], NULL, i ? allocate : look, NULL))
			return 1;
	for (int i = 0; os_clock_ms() < end; i++) {
		use(i % 2 ? 500 : 100);
		os_sleep_us(5000);
	}
	store_release(&over, 1);
	ring();
	for (int i = 0; i <= THREADS; i++)
		pthread_join(threads[i], NULL);
	fake_tree_remove();
	printf("%lld waits\n", waits);
	/* Each takes no longer than a look, but for those that the end left alone. */
	return waits > 100 ? 0 : 1;
}
