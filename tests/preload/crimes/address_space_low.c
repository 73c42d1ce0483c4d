/* SPDX-License-Identifier: MIT */
/* Started with very little address space, less than the library would like to reserve. */
#include "limit.h"

int main(int argc, char **argv)
{
	(void)argv;
	if (argc == 1) {
		set_limit(RLIMIT_AS, 64 * MIB);
		exec_self("limited");
	}
	exhaust_repeatedly(16 * MIB, 64 * MIB);
	return 0;
}
