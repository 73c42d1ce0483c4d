/* SPDX-License-Identifier: MIT */
/* Forks at every moment of a purge; children have no such thread, and get one if they need it. */
#include "purge.h"

enum { FORKS = 60 };

static void child_main(void)
{
	CHECK(count_threads() == 1);
	exercise();
	exit(0);
}

static void grandchild_main(void)
{
	double start = seconds_now();

	CHECK(count_threads() == 1);
	while (seconds_now() - start < 1.5)
		nap();
	fill_and_free();
	exercise();
	expect_idle();
	exit(0);
}

int main(void)
{
	pid_t child;

	for (int i = 0; i < FORKS; i++) {
		if (i % 20 == 0)
			fill_and_free();
		nap();
		nap();
		child = fork();
		if (child == 0)
			child_main();
		expect_success(child);
	}
	expect_idle();
	child = fork();
	if (child == 0)
		grandchild_main();
	expect_success(child);
	return 0;
}
