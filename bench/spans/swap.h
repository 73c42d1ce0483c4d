/* SPDX-License-Identifier: MIT */
/* The two ways of swap.c to have content in a file. */
#ifndef BENCH_SWAP_H
#define BENCH_SWAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes, all of them multiples of size. */
struct plan {
	const char *directory;
	size_t size;   /* of a span, or of a block and a request */
	size_t out;    /* in the file before a step */
	size_t memory; /* in memory then */
	size_t step;   /* go out, and then come back, in a step */
	bool frees;    /* by hand: memory is given back, too */
};

/* ---- What is in a block: random words, and its number in each page --------------------- */

void content_fill(void *start, size_t size, uint64_t number);
void content_stamp(void *start, size_t size, uint64_t number);

/* Fails unless each page has the number. */
void content_check(const void *start, size_t size, uint64_t number);

/* ---- Both ways: bytes a second. What comes is what went the longest ago ----------------- */

void ours_begin(const struct plan *plan);
double ours_write(void);
double ours_read(void);
void ours_end(void);

void by_hand_begin(const struct plan *plan);
double by_hand_write(void);
double by_hand_read(void);
void by_hand_end(void);

#endif
