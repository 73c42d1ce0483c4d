/* SPDX-License-Identifier: MIT */
#include "crime.h"

int main(void)
{
	char *block = malloc((size_t)1 << 30);

	CHECK(block);
	free(announce(block + ((size_t)1 << 29)));
	return 0;
}
