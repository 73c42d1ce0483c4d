/* SPDX-License-Identifier: MIT */
#include "crime.h"

int main(void)
{
	char *block = malloc(256);

	CHECK(block);
	if (!debug_build)
		return NOT_CAUGHT;
	free(announce(block + 16));
	return 0;
}
