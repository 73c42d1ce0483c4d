/* SPDX-License-Identifier: MIT */
/* Locked memory is present memory: what is only reserved must not become so. */
#include "limit.h"

#include <sys/mman.h>

int main(void)
{
	struct rusage usage;

	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		CHECK(errno == ENOMEM || errno == EPERM);
	exercise();
	CHECK(getrusage(RUSAGE_SELF, &usage) == 0);
	CHECK(usage.ru_maxrss < 512 << 10);
	return 0;
}
