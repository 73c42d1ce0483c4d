/* SPDX-License-Identifier: MIT */
#include "limit.h"

int main(int argc, char **argv)
{
	(void)argv;
	if (argc == 1) {
		set_limit(RLIMIT_AS, 256 * MIB);
		exec_self("limited");
	}
	exhaust_repeatedly(128 * MIB, 256 * MIB);
	return 0;
}
