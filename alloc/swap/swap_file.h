/* SPDX-License-Identifier: MIT */
/*
 * The swap file: content of spans on disk.
 *
 * A slot is room in a file that has been written once. Files have no name, live in
 * one directory, and go with the process. Room that is given back goes back to the
 * file system, and a file is closed with its last slot; both may be put off for a
 * moment, see swap_area.h.
 *
 *		      swap_slot_write()
 *	no file ---------------------------> the file in use
 *	   ^    last slot goes               |  fork, another directory
 *	   |<--------------------------------|
 *	   |    last slot goes               v
 *	   +------------------------------ an old one: no new slots;
 *		after a fork it is shared: neither written nor punched
 *
 * After a fork parent and child both read what was out then, and each writes to a
 * file of its own. What a shared file has left is copied to the file in use when
 * there are many files, or it is mostly waste: swap_area_tidy().
 *
 * A program may close our descriptors. The slots in such a file are lost: -EBADF.
 * What it opens there is not touched; unless it does both between our look and the
 * call that follows.
 * So are they to a child of a fork that called no handlers, as clone() makes them:
 * the parent does not know of it, and goes on writing.
 *
 * No call is a cancellation point; errno is kept. All but the fork handlers may wait
 * for the disk, and take swap_lock, which is not held while a slot is read or written.
 */
#ifndef ALLOC_SWAP_SWAP_FILE_H
#define ALLOC_SWAP_SWAP_FILE_H

#include "alloc/base/list.h"

struct swap_file;

/* Part of a file. All: swap_lock. */
struct swap_place {
	struct swap_file *file;
	uint64_t offset;
	uint64_t bytes;
	uint64_t held; /* of disk, at most */
};

/* Stays where it is as long as it has room. All: swap_lock. */
struct swap_slot {
	struct list_head list;	 /* slots of the file */
	struct swap_place place; /* no file: no room */
};

/*
 * Writes @bytes, at least one, to new room. Returns 0, or with nothing left behind
 * -ENODEV: no directory; -ENOSPC: max_bytes, or the disk is full; -EFBIG:
 * RLIMIT_FSIZE, which is never run against; -EIO and the like.
 */
int swap_slot_write(struct swap_slot *slot, const void *data, size_t bytes);

/* Reads the first @bytes of the slot. 0, -EBADF, -EIO and the like; the slot stays. */
int swap_slot_read(const struct swap_slot *slot, void *data, size_t bytes);

/* Writes zeros over it on the disk, if the file is not shared. 0 or -errno. */
int swap_slot_wipe(const struct swap_slot *slot);

/* Gives the room back. Without room: nothing. */
void swap_slot_free(struct swap_slot *slot);

#endif
