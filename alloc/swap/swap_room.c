/* SPDX-License-Identifier: MIT */
#include "alloc/swap/swap_room.h"

#include <errno.h>

#include "alloc/base/meta.h"

/* Room that was given back. */
struct swap_hole {
	struct swap_hole *next;
	uint64_t offset;
	uint64_t held;
};

void swap_rooms_init(struct swap_rooms *rooms, uint64_t unit)
{
	*rooms = (struct swap_rooms){.unit = unit};
}

void swap_rooms_release(struct swap_rooms *rooms)
{
	for (unsigned int i = 0; i < SWAP_ROOM_CLASSES; i++) {
		struct swap_hole *hole, *next;

		for (hole = rooms->holes[i]; hole; hole = next) {
			next = hole->next;
			meta_free(hole, sizeof(*hole));
		}
		rooms->holes[i] = NULL;
	}
}

static uint64_t units(const struct swap_rooms *rooms, uint64_t bytes)
{
	return (bytes - 1) / rooms->unit + 1;
}

/* Up to 8 units a class each; then (4 + k) << shift, k from 1 to 4. */
static unsigned int room_class(const struct swap_rooms *rooms, uint64_t bytes)
{
	uint64_t n = units(rooms, bytes);
	unsigned int shift;

	if (n <= 8)
		return (unsigned int)n - 1;
	shift = log2_floor(n - 1) - 2;
	return 4 * shift + (unsigned int)((n - 1) >> shift);
}

static uint64_t class_size(const struct swap_rooms *rooms, unsigned int class)
{
	unsigned int shift = class < 8 ? 0 : class / 4 - 1;
	uint64_t n = class < 8 ? class + 1 : (uint64_t)(class % 4 + 5) << shift;

	return n * rooms->unit;
}

uint64_t swap_room_size(const struct swap_rooms *rooms, uint64_t bytes)
{
	return class_size(rooms, room_class(rooms, bytes));
}

int swap_room_take(struct swap_rooms *rooms, uint64_t bytes, uint64_t limit, uint64_t *offset,
		   uint64_t *held)
{
	unsigned int class = room_class(rooms, bytes);
	struct swap_hole *hole = rooms->holes[class];
	uint64_t size = class_size(rooms, class);

	if (hole) {
		if (hole->offset + size > limit)
			return -EFBIG;
		rooms->holes[class] = hole->next;
		*offset = hole->offset;
		*held = hole->held;
		meta_free(hole, sizeof(*hole));
		return 0;
	}
	if (rooms->end > limit || size > limit - rooms->end)
		return -EFBIG;
	*offset = rooms->end;
	*held = 0;
	rooms->end += size;
	return 0;
}

void swap_room_give(struct swap_rooms *rooms, uint64_t offset, uint64_t bytes, uint64_t held)
{
	unsigned int class = room_class(rooms, bytes);
	struct swap_hole *hole = meta_alloc(sizeof(*hole));

	if (!hole)
		return;
	hole->offset = offset;
	hole->held = held;
	hole->next = rooms->holes[class];
	rooms->holes[class] = hole;
}
