/* SPDX-License-Identifier: MIT */
/*
 * The open swap files, and what all of them hold.
 */
#ifndef ALLOC_SWAP_SWAP_FILES_H
#define ALLOC_SWAP_SWAP_FILES_H

#include "alloc/base/list.h"
#include "alloc/base/lock.h"
#include "alloc/swap/swap_dir.h"
#include "alloc/swap/swap_file.h"
#include "alloc/swap/swap_room.h"

struct swap_file {
	int fd;			 /* const */
	struct os_file identity; /* const */
	/* The rest: swap_lock. */
	struct list_head list; /* of area.files */
	struct list_head slots;
	struct swap_rooms rooms; /* of which the unit is const */
	uint64_t bytes;		 /* of slots */
	uint64_t held;		 /* of disk */
	uint64_t spare; /* the part of held in spare room; 0 unless blocks are given back */
	uint32_t users; /* who use it without the lock */
	bool shared;	/* with another process: neither written nor punched */
	bool lost;	/* the descriptor is not ours any more */
	bool stuck;	/* could not be copied from */
};

struct swap_area {
	struct swap_dir dir;
	bool set;     /* there is one; read without the lock, too */
	uint64_t max; /* of held */
	uint64_t slots;
	uint64_t bytes; /* sums over the files */
	uint64_t held;
	uint64_t spare;
	uint64_t spare_least; /* since the last swap_area_decay() */
	uint64_t moved;
	struct list_head files; /* oldest first */
	uint32_t nr_files;
	struct swap_file *in_use;	/* new slots go there; or NULL */
	const struct swap_slot *moving; /* by swap_area_tidy(); NULL: none, or freed meanwhile */
	bool tidying;			/* one thread does */
	uint32_t *owned;		/* 0 in a child that called no handlers */
};

extern struct lock swap_lock;
extern struct swap_area swap_area; /* swap_lock */

/* Takes swap_lock, and notices that this is such a child. */
void swap_area_lock(void);

/* Opens the file to use. 0 or -errno. swap_lock. */
int swap_file_open(void);

/* Drops swap_lock, and closes the file if it has no slot, user, or spare room that is kept. */
void swap_file_unlock(struct swap_file *file);

/* Whether the descriptor is still ours; by a user, without the lock. */
bool swap_file_is_there(struct swap_file *file);

/* Room in the file in use, and a use of that. Drops swap_lock. 0 or -errno. */
int swap_place_take_unlock(struct swap_place *place, uint64_t bytes, uint64_t max);

/* Gives back room that nobody uses, and the use of its file; @spare: its blocks later. */
void swap_place_give(const struct swap_place *place, bool spare);

/*
 * Whether the file gives single blocks back: not while another process reads it, nor
 * at its end, when all go at once. swap_lock.
 */
bool swap_file_gives(const struct swap_file *file);

/* Gives back the blocks of a hole; with a use of the file. How many are held then. */
uint64_t swap_file_punch(struct swap_file *file, uint64_t offset, uint64_t bytes, uint64_t held);

/* ---- swap_spare.c; swap_lock ------------------------------------------------- */

/* @bytes less, or more, of the file are spare. */
void swap_spare_sub(struct swap_file *file, uint64_t bytes);
void swap_spare_add(struct swap_file *file, uint64_t bytes);

/* Whether @bytes of the file, of which the caller has a use, may become spare. */
bool swap_spare_may_add(const struct swap_file *file, uint64_t bytes);

/* Whether the file stays open for its spare room. */
bool swap_spare_keeps(const struct swap_file *file);

/* A use of the file becomes a slot, and the other way round. swap_lock. */
void swap_slot_add(struct swap_slot *slot, const struct swap_place *place);
void swap_slot_del(struct swap_slot *slot);

#endif
