/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include "alloc/slab/heap.h"

Test(size_class, is_the_smallest_that_fits)
{
	for (size_t size = 0; size <= KMALLOC_MAX_CACHE_SIZE; size++) {
		unsigned int class = size_class(size);

		cr_assert_lt(class, (unsigned int)SIZE_CLASSES);
		cr_assert_geq(size_class_bytes[class], size, "%zu bytes", size);
		if (class)
			cr_assert_lt(size_class_bytes[class - 1], size, "%zu bytes", size);
	}
}

Test(size_class, sizes_rise_and_keep_alignment)
{
	cr_expect_eq(size_class_bytes[0], KMALLOC_MIN_SIZE);
	cr_expect_eq(size_class_bytes[SIZE_CLASSES - 1], KMALLOC_MAX_CACHE_SIZE);
	for (unsigned int class = 1; class < SIZE_CLASSES; class ++) {
		uint32_t size = size_class_bytes[class], below = size_class_bytes[class - 1];

		cr_expect_gt(size, below);
		cr_expect_eq(size % 16, 0);
		if (size > 128) /* a fifth at most is wasted */
			cr_expect_leq((size - below - 1) * 5, size, "%u", size);
	}
	/* A request that is a multiple of a power of two gets a class that is one. */
	for (size_t align = 16; align <= 4096; align *= 2)
		for (size_t size = align; size <= KMALLOC_MAX_CACHE_SIZE; size += align)
			cr_expect_eq(size_class_bytes[size_class(size)] % align, 0, "%zu at %zu",
				     size, align);
}

Test(size_class, small_sizes_find_the_slot_of_their_class)
{
	static struct heap heap;

	for (size_t size = 0; size <= HEAP_LOOKUP; size++)
		cr_assert_eq(heap_slot_of_small(&heap, size), &heap.slots[size_class(size)],
			     "%zu bytes", size);
}
