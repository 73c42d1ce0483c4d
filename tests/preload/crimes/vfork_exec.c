/* SPDX-License-Identifier: MIT */
#include "crime.h"

#include <spawn.h>

extern char **environ;

int main(int argc, char **argv)
{
	char *arguments[] = {argv[0], (char *)"second", NULL};

	exercise();
	if (argc > 1)
		return 0;
	for (int i = 0; i < 50; i++) {
		pid_t child = vfork();

		if (child == 0) {
			execv("/proc/self/exe", arguments);
			_exit(127);
		}
		expect_success(child);
		CHECK(posix_spawn(&child, "/proc/self/exe", NULL, NULL, arguments, environ) == 0);
		expect_success(child);
	}
	return 0;
}
