/* SPDX-License-Identifier: MIT */
/*
 * liblz4, looked up when it is first wanted: programs that do not compress do not
 * load it. What is packed is a row of chunks, each with its length in front, so that
 * who waits does so for one of them.
 */
#ifndef SHRINKER_LZ4_H
#define SHRINKER_LZ4_H

#include "alloc/base/compiler.h"

/* Loads it. 0, or -ENOSYS: there is none. Not within an allocation. */
int lz4_load(void);

/* What lz4_pack() needs to work with. */
size_t lz4_work_bytes(void);

/*
 * Packs @bytes into less than @room; the packed length, or 0: it is more, or looks as if it
 * would be from the beginning, or @stop() said so between two chunks. It is loaded.
 */
size_t lz4_pack(const void *data, size_t bytes, void *to, size_t room, void *work,
		bool (*stop)(const void *arg), const void *arg);

/* The way back: 0, or -EIO if it is not what was packed. */
int lz4_unpack(const void *packed, size_t length, void *data, size_t bytes);

#endif
