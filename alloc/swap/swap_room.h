/* SPDX-License-Identifier: MIT */
/*
 * Room in a swap file. The file is sparse: room that nothing is written to costs
 * no disk, so sizes are rounded up to classes, four to a doubling, and room that
 * was given back is used again by its own class only. It is neither split nor
 * joined. Hence
 *
 *	end <= 5/4 * sum over the classes of the most bytes that class ever had at once
 *
 * (for sizes of whole units), and what is held of the disk never depends on it.
 *
 * Room that is given back with its blocks is spare until they are given back, too:
 * writing to it again is cheaper than to new blocks.
 */
#ifndef ALLOC_SWAP_SWAP_ROOM_H
#define ALLOC_SWAP_SWAP_ROOM_H

#include "alloc/base/list.h"

#define SWAP_ROOM_CLASSES 140

/* The longest, in units. */
#define SWAP_ROOM_MOST (1ul << 36)

/* All: the user's lock. */
struct swap_rooms {
	uint64_t unit;				   /* sizes are multiples of it: a power of two */
	uint64_t end;				   /* all below was handed out once */
	struct list_head spare;			   /* holes, the oldest first */
	struct list_head holes[SWAP_ROOM_CLASSES]; /* with blocks first */
};

void swap_rooms_init(struct swap_rooms *rooms, uint64_t unit);
void swap_rooms_release(struct swap_rooms *rooms);

/*
 * Room for @bytes that ends at @limit at the latest; 0 or -EFBIG. @held: so many
 * bytes of it the file system holds already, @spare: as spare room.
 */
int swap_room_take(struct swap_rooms *rooms, uint64_t bytes, uint64_t limit, uint64_t *offset,
		   uint64_t *held, bool *spare);

/* With the @bytes it was taken for. Without memory it is forgotten: returns whether it is not. */
bool swap_room_give(struct swap_rooms *rooms, uint64_t offset, uint64_t bytes, uint64_t held,
		    bool spare);

/* Takes the oldest spare room, to give its blocks back; false: none. */
bool swap_room_take_spare(struct swap_rooms *rooms, uint64_t *offset, uint64_t *bytes,
			  uint64_t *held);

/* How long room for @bytes is. */
uint64_t swap_room_size(const struct swap_rooms *rooms, uint64_t bytes);

#endif
