/* SPDX-License-Identifier: MIT */
/* What was freed goes back while the program does nothing, and no signal is taken for it. */
#include "purge.h"

#include <pthread.h>
#include <signal.h>

static pthread_t main_thread;
static volatile sig_atomic_t taken;

static void take(int number)
{
	(void)number;
	taken++;
	if (!pthread_equal(pthread_self(), main_thread))
		_exit(2);
}

int main(void)
{
	main_thread = pthread_self();
	signal(SIGUSR1, take);
	for (int i = 0; i < 3; i++) {
		fill_and_free();
		expect_idle();
		for (int n = 0; n < 50; n++)
			CHECK(kill(getpid(), SIGUSR1) == 0);
	}
	CHECK(taken == 3 * 50);
	CHECK(count_threads() <= 2);
	return 0;
}
