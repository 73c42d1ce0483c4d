/* SPDX-License-Identifier: MIT */
#ifndef ALLOC_PRELOAD_GROUP_BY_H
#define ALLOC_PRELOAD_GROUP_BY_H

#include "alloc/base/compiler.h"

/* Makes a valid name of a group out of any string. */
void group_name_from(const char *text, char *name, size_t len);

/*
 * From now on each thread is in a child group of the process's named as the
 * thread is, and follows when it is renamed.
 */
void group_by_comm(void);

#endif
