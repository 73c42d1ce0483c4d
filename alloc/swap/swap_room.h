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
 */
#ifndef ALLOC_SWAP_SWAP_ROOM_H
#define ALLOC_SWAP_SWAP_ROOM_H

#include "alloc/base/compiler.h"

#define SWAP_ROOM_CLASSES 256

struct swap_hole;

/* All: the user's lock. */
struct swap_rooms {
	uint64_t unit; /* sizes are multiples of it: a power of two */
	uint64_t end;  /* all below was handed out once */
	struct swap_hole *holes[SWAP_ROOM_CLASSES];
};

void swap_rooms_init(struct swap_rooms *rooms, uint64_t unit);
void swap_rooms_release(struct swap_rooms *rooms);

/*
 * Room for @bytes that ends at @limit at the latest; 0 or -EFBIG. @held: so many
 * bytes of it the file system holds already.
 */
int swap_room_take(struct swap_rooms *rooms, uint64_t bytes, uint64_t limit, uint64_t *offset,
		   uint64_t *held);

/* With the @bytes it was taken for. Without memory it is forgotten. */
void swap_room_give(struct swap_rooms *rooms, uint64_t offset, uint64_t bytes, uint64_t held);

/* How long room for @bytes is. */
uint64_t swap_room_size(const struct swap_rooms *rooms, uint64_t bytes);

#endif
