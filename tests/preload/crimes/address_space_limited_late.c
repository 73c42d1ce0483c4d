/* SPDX-License-Identifier: MIT */
/* The limit comes when the program runs, below what is mapped already. */
#include "limit.h"

int main(void)
{
	void *list;

	exhaust(&list, 10000, 64 * MIB);
	set_limit(RLIMIT_AS, 32 * MIB);
	release(list);
	exhaust_repeatedly(16 * MIB, 512 * MIB);
	return 0;
}
