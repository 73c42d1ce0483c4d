/* SPDX-License-Identifier: MIT */
/* A folder with what /proc and the cgroup file systems would have in theirs. */
#ifndef TESTS_SHRINKER_FAKE_TREE_H
#define TESTS_SHRINKER_FAKE_TREE_H

/* Makes an empty one, in place of the one before. It goes with fake_tree_remove(). */
void fake_tree_make(void);
void fake_tree_remove(void);

/* The same in a folder of the caller's, made if it is not there. */
void fake_tree_use(const char *folder);

/* Its path, without a slash at the end. */
const char *fake_tree(void);

/* The path of @name in it; good until the next call. */
const char *fake_path(const char *name);

/* Writes a file in it, over what it had, making the folders. */
__attribute__((format(printf, 2, 3))) void fake_write(const char *name, const char *fmt, ...);

/* A cgroup of version 2, mounted at /sys/fs/cgroup, for this process. */
void fake_cgroup2(const char *path);

/* Bytes of that cgroup or one of its ancestors. */
void fake_level2(const char *path, const char *max, const char *high, long usage, long cache);

/* The machine's, in MiB. */
void fake_machine(long total, long available);

#endif
