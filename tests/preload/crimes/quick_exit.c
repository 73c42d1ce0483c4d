/* SPDX-License-Identifier: MIT */
#include "crime.h"

static void at_end(void)
{
	exercise();
}

int main(void)
{
	CHECK(at_quick_exit(at_end) == 0);
	opaque(malloc(1 << 20));
	quick_exit(0);
}
