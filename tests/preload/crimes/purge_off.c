/* SPDX-License-Identifier: MIT */
/* purge_thread:false: nothing runs beside the program. */
#include "purge.h"

int main(void)
{
	for (int i = 0; i < 30; i++) {
		fill_and_free();
		CHECK(count_threads() == 1);
	}
	return 0;
}
