/* SPDX-License-Identifier: MIT */
/*
 * Blocks that know what they are. The first words hold size and tag, the last byte repeats
 * the tag: whoever frees a block, in whichever thread, checks that nobody else wrote there.
 */
#ifndef BENCH_BLOCK_H
#define BENCH_BLOCK_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "bench/workloads/workload.h"

#define BLOCK_MIN (sizeof(struct block) + 1)

struct block {
	uint32_t size;
	uint32_t tag;
};

static inline unsigned char *block_last_byte(struct block *block)
{
	return (unsigned char *)block + block->size - 1;
}

/* Marks memory as a block of `size` bytes, at least BLOCK_MIN. Returns it. */
static inline struct block *block_mark(void *memory, size_t size, uint32_t tag)
{
	struct block *block = memory;

	if (!block)
		workload_fail("out of memory");
	block->size = (uint32_t)size;
	block->tag = tag;
	*block_last_byte(block) = (unsigned char)tag;
	return block;
}

static inline struct block *block_new(size_t size, uint32_t tag)
{
	return block_mark(malloc(size), size, tag);
}

/* Writes one byte a page, so that the whole block is resident. */
static inline void block_touch_pages(struct block *block)
{
	volatile unsigned char *bytes = (volatile unsigned char *)block;

	for (size_t at = 4096; at + 1 < block->size; at += 4096)
		bytes[at] = (unsigned char)at;
}

/* Returns what the block adds to the checksum. NULL adds nothing. */
static inline uint64_t block_check(struct block *block)
{
	if (!block)
		return 0;
	if (*block_last_byte(block) != (unsigned char)block->tag)
		workload_fail("a block was overwritten");
	return (uint64_t)block->tag * block->size;
}

/* Checks and frees. */
static inline uint64_t block_free(struct block *block)
{
	uint64_t sum = block_check(block);

	free(block);
	return sum;
}

static inline uint64_t block_free_all(struct block **blocks, size_t count)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < count; i++) {
		sum += block_free(blocks[i]);
		blocks[i] = NULL;
	}
	return sum;
}

#endif
