/* SPDX-License-Identifier: MIT */
/*
 * A swap area in a directory of its own, and slots with content that can be checked.
 */
#ifndef TESTS_SWAP_AREA_H
#define TESTS_SWAP_AREA_H

#include "alloc/swap/swap_area.h"
#include "alloc/swap/swap_file.h"

#define KB (1ul << 10)
#define MB (1ul << 20)

/* For TestSuite(): begins and ends each test; at the end the directory must be empty. */
void area_begin(void);
void area_end(void);

const char *area_dir(void);

/* Our descriptor of the @n-th open file in the directory, or -1. */
int area_fd(int n);

/* What the open files there take, by st_blocks. */
uint64_t area_disk_bytes(void);

struct swap_area_stats area_stats(void);

/* Writes a pattern; what swap_slot_write() says. */
int slot_fill(struct swap_slot *slot, size_t bytes, unsigned int seed);

/* Whether it reads as that pattern. */
bool slot_holds(const struct swap_slot *slot, size_t bytes, unsigned int seed);

/* Forks with the handlers of the swap area; runs @fn in the child, which returns what it does. */
int in_child(int (*fn)(void *arg), void *arg);

#endif
