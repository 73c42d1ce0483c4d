/* SPDX-License-Identifier: MIT */
#include "limit.h"

/* What is left in the end, and so what our tables may find, depends on the limit. */
#define LIMITS 8
#define STEP   (52ul << 10)

int main(int argc, char **argv)
{
	(void)argv;
	for (size_t i = 0; argc == 1 && i < LIMITS; i++) {
		pid_t child = fork();

		CHECK(child >= 0);
		if (!child) {
			set_limit(RLIMIT_AS, 256 * MIB + i * STEP);
			exec_self("limited");
		}
		expect_success(child);
	}
	if (argc > 1)
		exhaust_repeatedly(128 * MIB, 256 * MIB);
	return 0;
}
