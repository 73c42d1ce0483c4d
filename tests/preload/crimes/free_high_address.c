/* SPDX-License-Identifier: MIT */
#include "crime.h"

int main(void)
{
	free(announce((void *)(UINTPTR_MAX - 15)));
	return 0;
}
