/* SPDX-License-Identifier: MIT */
#include "alloc/swap/swap_file.h"

#include <errno.h>

#include "alloc/swap/swap_area.h"
#include "alloc/swap/swap_files.h"
#include "alloc/swap/swap_io.h"

static void hold(struct swap_file *file, uint64_t bytes)
{
	file->held += bytes;
	swap_area.held += bytes;
}

static void let_go(struct swap_file *file, uint64_t bytes)
{
	file->held -= bytes;
	swap_area.held -= bytes;
}

int swap_place_take_unlock(struct swap_place *place, uint64_t bytes, uint64_t max)
{
	uint64_t limit = min_t(uint64_t, os_file_size_limit(), INT64_MAX);
	uint64_t held;
	bool spare;
	int ret = swap_area.in_use ? 0 : swap_file_open();

	if (ret) {
		unlock(&swap_lock);
		return ret;
	}
	place->file = swap_area.in_use;
	place->bytes = bytes;
	ret = swap_room_take(&place->file->rooms, bytes, limit, &place->offset, &held, &spare);
	if (!ret) {
		place->held = max_t(uint64_t, held, round_up_to(bytes, PAGE_SIZE));
		if (swap_area.held + (place->held - held) > max) {
			swap_room_give(&place->file->rooms, place->offset, bytes, held, spare);
			ret = -ENOSPC;
		} else {
			if (spare)
				swap_spare_sub(place->file, held);
			hold(place->file, place->held - held);
			place->file->users++;
		}
	}
	swap_file_unlock(place->file);
	return ret;
}

uint64_t swap_file_punch(struct swap_file *file, uint64_t offset, uint64_t bytes, uint64_t held)
{
	if (swap_file_is_there(file) && !swap_io_punch(file->fd, offset, bytes))
		return 0;
	return held;
}

/* False: its blocks must go first. */
static bool give_spare(const struct swap_place *place)
{
	struct swap_file *file = place->file;

	if (!swap_spare_may_add(file, place->held) ||
	    !swap_room_give(&file->rooms, place->offset, place->bytes, place->held, true))
		return false;
	swap_spare_add(file, place->held);
	return true;
}

void swap_place_give(const struct swap_place *place, bool spare)
{
	struct swap_file *file = place->file;
	uint64_t size = swap_room_size(&file->rooms, place->bytes);
	uint64_t held;

	lock(&swap_lock);
	if (!(spare && give_spare(place)) && swap_file_gives(file)) {
		unlock(&swap_lock);
		held = swap_file_punch(file, place->offset, size, place->held);
		lock(&swap_lock);
		let_go(file, place->held - held);
		swap_room_give(&file->rooms, place->offset, place->bytes, held, false);
	}
	file->users--;
	swap_file_unlock(file);
}

void swap_slot_add(struct swap_slot *slot, const struct swap_place *place)
{
	struct swap_file *file = place->file;

	slot->place = *place;
	list_add_tail(&slot->list, &file->slots);
	file->bytes += place->bytes;
	file->users--;
}

void swap_slot_del(struct swap_slot *slot)
{
	struct swap_file *file = slot->place.file;

	list_del_init(&slot->list);
	file->bytes -= slot->place.bytes;
	file->users++;
	slot->place.file = NULL;
}

static int write_place(struct swap_place *place, const void *data, size_t bytes)
{
	int ret;

	swap_area_lock();
	ret = swap_place_take_unlock(place, bytes, swap_area.max);
	if (ret)
		return ret;
	if (swap_file_is_there(place->file))
		ret = swap_io_write(place->file->fd, data, bytes, place->offset);
	else
		ret = -EBADF;
	if (ret)
		swap_place_give(place, false);
	return ret;
}

/* The area, the disk, or the user's part of that. */
static bool is_full(int err)
{
	return err == -ENOSPC || err == -EDQUOT;
}

int swap_slot_write(struct swap_slot *slot, const void *data, size_t bytes)
{
	struct swap_place place;
	int saved_errno = errno;
	int ret = -EINVAL;

	if (bytes)
		ret = write_place(&place, data, bytes);
	/* The program closed the file: another one. The disk is full: we may hold some of it. */
	if (ret == -EBADF || (is_full(ret) && swap_area_trim()))
		ret = write_place(&place, data, bytes);
	if (!ret) {
		lock(&swap_lock);
		swap_slot_add(slot, &place);
		swap_area.slots++;
		swap_area.bytes += bytes;
		unlock(&swap_lock);
	}
	errno = saved_errno;
	return ret;
}

static void put_file(struct swap_file *file)
{
	lock(&swap_lock);
	file->users--;
	swap_file_unlock(file);
}

/* Where the slot is now, with a use of that file. */
static struct swap_place slot_look(const struct swap_slot *slot)
{
	struct swap_place place;

	swap_area_lock();
	place = slot->place;
	if (place.file)
		place.file->users++;
	unlock(&swap_lock);
	return place;
}

int swap_slot_read(const struct swap_slot *slot, void *data, size_t bytes)
{
	struct swap_place place = slot_look(slot);
	int saved_errno = errno;
	int ret = -EINVAL;

	if (!place.file)
		return ret;
	if (bytes <= place.bytes) {
		ret = -EBADF;
		if (swap_file_is_there(place.file))
			ret = swap_io_read(place.file->fd, data, bytes, place.offset);
	}
	put_file(place.file);
	errno = saved_errno;
	return ret;
}

void swap_slot_free(struct swap_slot *slot)
{
	struct swap_place place;
	int saved_errno = errno;

	swap_area_lock();
	place = slot->place;
	if (!place.file) {
		unlock(&swap_lock);
		return;
	}
	swap_slot_del(slot);
	swap_area.slots--;
	swap_area.bytes -= place.bytes;
	if (swap_area.moving == slot)
		swap_area.moving = NULL;
	unlock(&swap_lock);
	swap_place_give(&place, true);
	errno = saved_errno;
}

static int write_zeros(const struct swap_place *place)
{
	static const char zeros[16384];

	for (uint64_t done = 0; done < place->bytes;) {
		size_t bytes = min_t(uint64_t, sizeof(zeros), place->bytes - done);
		int ret = swap_io_write(place->file->fd, zeros, bytes, place->offset + done);

		if (ret)
			return ret;
		done += bytes;
	}
	/* Or the hole that is punched next takes them along, before they get to the disk. */
	return swap_io_sync(place->file->fd);
}

/* Not when it was written, but the limit may have been lowered since. */
static bool is_past_size_limit(const struct swap_place *place)
{
	return place->offset + place->bytes > os_file_size_limit();
}

int swap_slot_wipe(const struct swap_slot *slot)
{
	struct swap_place place = slot_look(slot);
	int saved_errno = errno;
	int ret = -EBADF;

	if (!place.file)
		return 0;
	if (READ_ONCE(place.file->shared))
		ret = -EBUSY;
	else if (is_past_size_limit(&place))
		ret = -EFBIG;
	else if (swap_file_is_there(place.file))
		ret = write_zeros(&place);
	put_file(place.file);
	errno = saved_errno;
	return ret;
}
