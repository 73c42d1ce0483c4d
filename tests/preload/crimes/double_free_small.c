/* SPDX-License-Identifier: MIT */
#include "crime.h"

int main(void)
{
	void *block = malloc(48);

	CHECK(block);
	announce(block);
	free(block);
	free(opaque(block));
	return 0;
}
