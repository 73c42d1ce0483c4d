/* SPDX-License-Identifier: MIT */
/* The kernel refuses writable memory, although address space is left. */
#include "limit.h"

int main(int argc, char **argv)
{
	(void)argv;
	if (argc == 1) {
		set_limit(RLIMIT_DATA, 128 * MIB);
		exec_self("limited");
	}
	exhaust_repeatedly(64 * MIB, 256 * MIB);
	return 0;
}
