/* SPDX-License-Identifier: MIT */
#include "crime.h"

int main()
{
	long on_stack[4] = {0};

	::operator delete(announce(&on_stack[2]));
	return 0;
}
