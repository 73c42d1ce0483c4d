/* SPDX-License-Identifier: MIT */
/*
 * Where the cgroup of this process lies in the file system: what
 * /proc/self/cgroup says it is called, put behind the place where
 * /proc/self/mountinfo says its hierarchy is mounted.
 */
#ifndef SHRINKER_CGROUP_PLACE_H
#define SHRINKER_CGROUP_PLACE_H

#include <linux/limits.h>

#include "alloc/base/compiler.h"

enum cgroup_kind {
	CGROUP_V1_MEMORY, /* the hierarchy of version 1 that has the memory controller */
	CGROUP_V2,
};

struct cgroup_place {
	char path[PATH_MAX]; /* "" if there is none */
	size_t top;	     /* so much of it is the mount point: no ancestors further up */
};

/*
 * @root: "", or the folder in which "/proc" and all else is looked for.
 * @cgroups: what /proc/self/cgroup says. Returns 0; -ENOENT if there is no such
 * cgroup, or none that is mounted; or what opening a file gave.
 */
int cgroup_place_find(struct cgroup_place *place, enum cgroup_kind kind, const char *root,
		      const char *cgroups);

/* The length of the path of the parent of that of @len bytes; 0 at the top. */
size_t cgroup_place_parent(const struct cgroup_place *place, size_t len);

#endif
