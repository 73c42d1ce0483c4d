/* SPDX-License-Identifier: MIT */
/* Forbidden, and done all the same: the child allocates in its parent's memory. */
#include "crime.h"

static void *volatile kept;

int main(void)
{
	for (int i = 0; i < 200; i++) {
		pid_t child;

		free(kept);
		kept = malloc(1000);
		child = vfork();
		if (child == 0) {
			exercise();
			free(kept);
			kept = malloc(2000);
			_exit(0);
		}
		expect_success(child);
		memset(kept, 'x', 2000);
		exercise();
	}
	return 0;
}
