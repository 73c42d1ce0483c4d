/* SPDX-License-Identifier: MIT */
#include "limit.h"

int main(void)
{
	exercise();
	set_limit(RLIMIT_DATA, 128 * MIB);
	exhaust_repeatedly(64 * MIB, 256 * MIB);
	return 0;
}
