/* SPDX-License-Identifier: MIT */
/* Started with no more descriptors than the loader needs. */
#include "crime.h"

#include <sys/resource.h>

int main(int argc, char **argv)
{
	const struct rlimit few = {4, 4};
	pid_t child;

	(void)argv;
	if (argc == 1) {
		closefrom(3);
		CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
		exec_self("limited");
	}
	exercise();
	child = fork();
	if (child == 0) {
		exercise();
		exit(0);
	}
	expect_success(child);
	return 0;
}
