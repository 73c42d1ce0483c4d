/* SPDX-License-Identifier: MIT */
/*
 * How much memory is left outside of the process: at each of its cgroup and that
 * one's ancestors which has a limit, and in the machine.
 *
 * What is left is reckoned as the kernel reckons MemAvailable: free memory, and of
 * the page cache what can go without harm. So a container whose limit is reached by
 * cached files is not short. A level is short from the moment less is left than its
 * low watermark until there is as much as the high one, as a zone of the kernel is
 * for kswapd.
 */
#ifndef SHRINKER_HEADROOM_H
#define SHRINKER_HEADROOM_H

#include "shrinker/cgroup_place.h"
#include "shrinker/kept_file.h"

#define HEADROOM_LEVELS 12	  /* nearest ancestors that are looked at */
#define HEADROOM_MAX	INT64_MAX /* no limit anywhere */

/* Pages. */
struct watermarks {
	int64_t min, low, high;
};

struct watermarks watermarks_of(int64_t limit);

struct headroom_level {
	struct kept_file limits[2]; /* the lower one counts */
	struct kept_file usage;	    /* open once there was a limit */
	struct kept_file stat;
	size_t path_len;
	bool is_short;
};

/* All fields: one thread. */
struct headroom {
	const struct headroom_names *names; /* of the version's files */
	struct cgroup_place place;
	struct headroom_level levels[HEADROOM_LEVELS];
	unsigned int nr_levels;
	struct kept_file meminfo;
	bool machine_is_short;
};

/* Pages. */
struct headroom_sample {
	int64_t room;	/* may be taken until the first level is at its low watermark; below 0: is
			   past */
	int64_t wanted; /* for all levels that are short to get to their high watermark */
	bool lost;	/* a file is not there any more: to be opened anew */
};

/*
 * Opens what there is. @root and @cgroups are as for cgroup_place_find(). What
 * cannot be found or read has no limit.
 */
void headroom_open(struct headroom *headroom, const char *root, const char *cgroups);
void headroom_close(struct headroom *headroom);

struct headroom_sample headroom_look(struct headroom *headroom);

#endif
