/* SPDX-License-Identifier: MIT */
/*
 * Spare room: freed, and its blocks not given back yet. Where spans go out and
 * come back all the time, the next that goes out takes the room that the last one
 * to come back has left, and no block changes hands.
 */
#include <errno.h>

#include "alloc/swap/swap_area.h"
#include "alloc/swap/swap_files.h"

/* If nobody comes for them. */
#define SPARE_MOST (16ul << 20)

bool (*swap_decay_comes)(void);

void swap_spare_sub(struct swap_file *file, uint64_t bytes)
{
	file->spare -= bytes;
	swap_area.spare -= bytes;
	swap_area.spare_least = min_t(uint64_t, swap_area.spare_least, swap_area.spare);
}

void swap_spare_add(struct swap_file *file, uint64_t bytes)
{
	file->spare += bytes;
	swap_area.spare += bytes;
}

bool swap_spare_may_add(uint64_t bytes)
{
	return swap_area.spare + bytes <= SPARE_MOST || (swap_decay_comes && swap_decay_comes());
}

/* The oldest spare room of a file, with a use of that. The area is locked. */
static bool take_spare(struct swap_place *place)
{
	struct swap_file *file;

	list_for_each_entry (file, &swap_area.files, list) {
		if (!file->spare || !swap_room_take_spare(&file->rooms, &place->offset,
							  &place->bytes, &place->held))
			continue;
		swap_spare_sub(file, place->held);
		file->users++;
		place->file = file;
		return true;
	}
	return false;
}

/* Returns how many bytes were spare, and are not any more; 0: none are. */
static uint64_t trim_one(void)
{
	struct swap_place place;
	bool found;

	swap_area_lock();
	found = take_spare(&place);
	unlock(&swap_lock);
	if (!found)
		return 0;
	swap_place_give(&place, false);
	return place.held;
}

bool swap_area_trim(void)
{
	int saved_errno = errno;
	bool any = false;

	while (trim_one())
		any = true;
	errno = saved_errno;
	return any;
}

bool swap_area_decay(void)
{
	int saved_errno = errno;
	uint64_t bytes, done;
	bool more;

	lock(&swap_lock);
	bytes = swap_area.spare_least;
	unlock(&swap_lock);
	for (; bytes && (done = trim_one()); bytes -= min_t(uint64_t, bytes, done))
		;
	lock(&swap_lock);
	more = swap_area.spare > 0;
	swap_area.spare_least = swap_area.spare;
	unlock(&swap_lock);
	errno = saved_errno;
	return more;
}
