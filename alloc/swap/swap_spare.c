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

static bool somebody_comes(void)
{
	return swap_decay_comes && swap_decay_comes();
}

bool swap_spare_may_add(const struct swap_file *file, uint64_t bytes)
{
	bool last = list_empty(&file->slots) && file->users == 1;

	if (file != swap_area.in_use)
		return false;
	return (!last && swap_area.spare + bytes <= SPARE_MOST) || somebody_comes();
}

bool swap_spare_keeps(const struct swap_file *file)
{
	return file->spare && file == swap_area.in_use && somebody_comes();
}

/* A file with spare room. swap_lock. */
static struct swap_file *find_spare(void)
{
	struct swap_file *file;

	list_for_each_entry (file, &swap_area.files, list)
		if (file->spare)
			return file;
	return NULL;
}

/* With a use of the file. */
static void give_oldest(struct swap_file *file, struct swap_place *place)
{
	place->file = file;
	swap_room_take_spare(&file->rooms, &place->offset, &place->bytes, &place->held);
	swap_spare_sub(file, place->held);
	unlock(&swap_lock);
	swap_place_give(place, false);
}

/* Of up to @most spare bytes: how many are not spare any more; 0: none are. */
static uint64_t trim_one(uint64_t most)
{
	struct swap_place place = {.held = 0};
	struct swap_file *file;

	swap_area_lock();
	file = find_spare();
	if (!file) {
		unlock(&swap_lock);
	} else if (file->spare <= most && !file->users && list_empty(&file->slots)) {
		/* It goes as a whole. */
		place.held = file->spare;
		swap_spare_sub(file, file->spare);
		swap_file_unlock(file);
	} else {
		file->users++;
		give_oldest(file, &place);
	}
	return place.held;
}

bool swap_area_trim(void)
{
	int saved_errno = errno;
	bool any = false;

	while (trim_one(UINT64_MAX))
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
	for (; bytes && (done = trim_one(bytes)); bytes -= min_t(uint64_t, bytes, done))
		;
	lock(&swap_lock);
	more = swap_area.spare > 0;
	swap_area.spare_least = swap_area.spare;
	unlock(&swap_lock);
	errno = saved_errno;
	return more;
}
