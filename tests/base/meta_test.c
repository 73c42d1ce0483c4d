/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <pthread.h>
#include <string.h>

#include "alloc/base/meta.h"

static bool is_zero(const char *block, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (block[i])
			return false;
	return true;
}

Test(meta, comes_zeroed_and_aligned)
{
	for (size_t size = 1; size < 10000; size = size * 5 / 4 + 1) {
		char *block = meta_alloc(size);

		cr_assert_not_null(block);
		cr_expect_eq((size_t)block % (size < CACHELINE ? 16 : CACHELINE), 0, "%zu", size);
		cr_expect(is_zero(block, size), "%zu", size);
		memset(block, 0xff, size);
	}
}

Test(meta, is_used_again_for_the_same_size_only)
{
	char *first = meta_alloc(200);
	char *second;

	memset(first, 0xff, 200);
	meta_free(first, 200);
	second = meta_alloc(100);
	cr_expect_neq(second, first);
	second = meta_alloc(300);
	cr_expect_neq(second, first);
	second = meta_alloc(200);
	cr_expect_eq(second, first);
	cr_expect(is_zero(second, 200));
	meta_free(NULL, 200);
}

Test(meta, does_not_grow_when_used_again)
{
	size_t committed;
	void *blocks[1000];

	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < 1000; i++)
			blocks[i] = meta_alloc(64 + (size_t)(i % 50) * 48);
		for (int i = 0; i < 1000; i++)
			meta_free(blocks[i], 64 + (size_t)(i % 50) * 48);
		if (round == 0)
			committed = meta_committed();
		cr_assert_eq(meta_committed(), committed);
	}
}

static void *allocate_and_check(void *arg)
{
	char mark = *(char *)arg;

	for (int i = 0; i < 20000; i++) {
		char *block = meta_alloc(96);

		if (!is_zero(block, 96))
			return "not zeroed";
		memset(block, mark, 96);
		for (int j = 0; j < 96; j++)
			if (block[j] != mark)
				return "handed out twice";
		meta_free(block, 96);
	}
	return NULL;
}

Test(meta, by_many_threads)
{
	pthread_t threads[4];
	char marks[] = "abcd";

	for (int i = 0; i < 4; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, allocate_and_check, &marks[i]), 0);
	for (int i = 0; i < 4; i++) {
		void *error;

		cr_assert_eq(pthread_join(threads[i], &error), 0);
		cr_expect_null(error, "%s", (char *)error);
	}
}

Test(meta, used_is_what_was_handed_out)
{
	static const size_t sizes[] = {1, 16, 100, 4096, 5000, 100000};
	void *blocks[6];
	size_t used = meta_used(), bytes = 0;

	for (int i = 0; i < 6; i++) {
		cr_assert_not_null(blocks[i] = meta_alloc(sizes[i]));
		bytes += sizes[i];
		cr_expect_geq(meta_used() - used, bytes);
		cr_expect_leq(meta_used() - used, bytes + (size_t)(i + 1) * 64);
	}
	for (int i = 0; i < 6; i++)
		meta_free(blocks[i], sizes[i]);
	cr_expect_eq(meta_used(), used);
}
