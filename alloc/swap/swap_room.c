/* SPDX-License-Identifier: MIT */
#include "alloc/swap/swap_room.h"

#include <errno.h>

#include "alloc/base/meta.h"

/* Room that was given back. */
struct swap_hole {
	struct list_head list;	/* of its class */
	struct list_head spare; /* or by itself */
	uint64_t offset;
	uint64_t size;
	uint64_t held;
};

void swap_rooms_init(struct swap_rooms *rooms, uint64_t unit)
{
	rooms->unit = unit;
	rooms->end = 0;
	list_init(&rooms->spare);
	for (unsigned int i = 0; i < SWAP_ROOM_CLASSES; i++)
		list_init(&rooms->holes[i]);
}

static void fill_hole(struct swap_hole *hole)
{
	list_del_init(&hole->list);
	list_del_init(&hole->spare);
	meta_free(hole, sizeof(*hole));
}

void swap_rooms_release(struct swap_rooms *rooms)
{
	struct swap_hole *hole, *tmp;

	for (unsigned int i = 0; i < SWAP_ROOM_CLASSES; i++)
		list_for_each_entry_safe (hole, tmp, &rooms->holes[i], list)
			fill_hole(hole);
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
		   uint64_t *held, bool *spare)
{
	uint64_t size = swap_room_size(rooms, bytes);
	struct list_head *holes;
	struct swap_hole *hole;

	if (size > limit || units(rooms, bytes) > SWAP_ROOM_MOST)
		return -EFBIG;
	holes = &rooms->holes[room_class(rooms, bytes)];
	if (list_empty(holes)) {
		if (rooms->end > limit - size)
			return -EFBIG;
		*offset = rooms->end;
		*held = 0;
		*spare = false;
		rooms->end += size;
		return 0;
	}
	hole = list_first_entry(holes, struct swap_hole, list);
	if (hole->offset > limit - size)
		return -EFBIG;
	*offset = hole->offset;
	*held = hole->held;
	*spare = !list_empty(&hole->spare);
	fill_hole(hole);
	return 0;
}

bool swap_room_give(struct swap_rooms *rooms, uint64_t offset, uint64_t bytes, uint64_t held,
		    bool spare)
{
	struct list_head *holes = &rooms->holes[room_class(rooms, bytes)];
	struct swap_hole *hole = meta_alloc(sizeof(*hole));

	if (!hole)
		return false;
	hole->offset = offset;
	hole->size = swap_room_size(rooms, bytes);
	hole->held = held;
	list_init(&hole->spare);
	if (spare)
		list_add_tail(&hole->spare, &rooms->spare);
	if (held)
		list_add(&hole->list, holes);
	else
		list_add_tail(&hole->list, holes);
	return true;
}

bool swap_room_take_spare(struct swap_rooms *rooms, uint64_t *offset, uint64_t *bytes,
			  uint64_t *held)
{
	struct swap_hole *hole;

	if (list_empty(&rooms->spare))
		return false;
	hole = list_first_entry(&rooms->spare, struct swap_hole, spare);
	*offset = hole->offset;
	*bytes = hole->size;
	*held = hole->held;
	fill_hole(hole);
	return true;
}
