/* SPDX-License-Identifier: MIT */
#ifndef ALLOC_PRELOAD_REPORT_H
#define ALLOC_PRELOAD_REPORT_H

#include "alloc/preload/conf.h"

/* Writes the tree of the process's groups as @conf says. */
void report_write(const struct conf *conf);

#endif
