/* SPDX-License-Identifier: MIT */
/* The limit of the group, 64 MiB, is reached. */
#include "limit.h"

/* At the limit: everything fails, and what there is stays as it is. */
static void fail_each_way(void)
{
	char *block = malloc(1000);
	void *list;

	CHECK(block);
	memset(block, 'x', 1000);
	exhaust(&list, MIB, 128 * MIB);
	CHECK_FAILS(malloc(8 * MIB), ENOMEM);
	CHECK_FAILS(calloc(8, MIB), ENOMEM);
	CHECK_FAILS(memalign(4096, 8 * MIB), ENOMEM);
	CHECK_FAILS(realloc(block, 8 * MIB), ENOMEM);
	CHECK(is_filled(block, 'x', 1000));
	release(list);
	free(block);
}

int main(void)
{
	const size_t sizes[] = {MIB, 100, 40000, 24, 3 * MIB, MIB};

	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		void *list;
		size_t total = exhaust(&list, sizes[i], 128 * MIB);

		release(list);
		CHECK(total <= 64 * MIB);
		CHECK(total >= (sizes[i] < 64 ? 40 : 54) * MIB);
	}
	fail_each_way();
	exercise();
	return 0;
}
