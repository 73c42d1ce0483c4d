/* SPDX-License-Identifier: MIT */
#ifndef ACCOUNTING_SIZE_H
#define ACCOUNTING_SIZE_H

#include <stddef.h>
#include <stdint.h>

/*
 * Parses "max" (UINT64_MAX), or a decimal number of bytes with an optional
 * K, M, G or T (powers of 1024, either case). White space around it is
 * allowed, as in the files of a cgroup. Returns 0 or -EINVAL, also for what
 * does not fit.
 */
int parse_size(const char *text, uint64_t *bytes);

/* Writes @bytes for people ("512B", "1.5G") and returns @buf; 16 bytes suffice. */
const char *format_size(uint64_t bytes, char *buf, size_t len);

#endif
