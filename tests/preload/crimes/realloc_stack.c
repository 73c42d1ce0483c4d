/* SPDX-License-Identifier: MIT */
#include "crime.h"

int main(void)
{
	long on_stack[4] = {0};

	CHECK(realloc(announce(&on_stack[2]), 100));
	return 0;
}
