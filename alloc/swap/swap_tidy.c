/* SPDX-License-Identifier: MIT */
/*
 * Shared files give nothing back but as a whole, and each fork may leave one more.
 * What they have left is copied to the file in use. The copy is made without
 * a lock: the slot may be read meanwhile, from where it was, and freed, which is
 * noted in swap_area.moving.
 */
#include <errno.h>

#include "alloc/swap/swap_area.h"
#include "alloc/swap/swap_files.h"
#include "alloc/swap/swap_io.h"

/* So many files stay open: a descriptor is worth more than a copy. */
#define FILES_MAX 16

/* A file that wastes less is left alone. */
#define WASTE_MIN  (1ul << 20)

#define COPY_BYTES (128ul << 10)

/* By one thread at a time. */
static char buffer[COPY_BYTES];

static bool is_wasteful(const struct swap_file *file)
{
	uint64_t waste = file->held - file->bytes;

	return file->shared && waste > file->bytes && waste >= WASTE_MIN;
}

/* The least work first. swap_lock. */
static struct swap_file *file_to_leave(void)
{
	struct swap_file *file, *best = NULL;

	list_for_each_entry (file, &swap_area.files, list) {
		if (file == swap_area.in_use || file->lost || file->stuck ||
		    list_empty(&file->slots))
			continue;
		if (!is_wasteful(file) && swap_area.nr_files <= FILES_MAX)
			continue;
		if (!best || file->bytes < best->bytes)
			best = file;
	}
	return best;
}

static int copy(const struct swap_place *from, const struct swap_place *to)
{
	for (uint64_t done = 0; done < from->bytes;) {
		size_t bytes = min_t(uint64_t, COPY_BYTES, from->bytes - done);
		int ret = swap_io_read(from->file->fd, buffer, bytes, from->offset + done);

		if (ret) {
			lock(&swap_lock);
			from->file->stuck = true;
			unlock(&swap_lock);
			return ret;
		}
		ret = swap_io_write(to->file->fd, buffer, bytes, to->offset + done);
		if (ret)
			return ret;
		done += bytes;
	}
	return 0;
}

static int copy_if_there(const struct swap_place *from, const struct swap_place *to)
{
	if (!swap_file_is_there(from->file) || !swap_file_is_there(to->file))
		return -EBADF;
	return copy(from, to);
}

/* The next slot that should be elsewhere, with a use of its file; or NULL. */
static struct swap_slot *begin_move(struct swap_place *from)
{
	struct swap_file *file;
	struct swap_slot *slot = NULL;

	swap_area_lock();
	file = file_to_leave();
	if (file) {
		slot = list_first_entry(&file->slots, struct swap_slot, list);
		*from = slot->place;
		file->users++;
		swap_area.moving = slot;
	}
	unlock(&swap_lock);
	return slot;
}

/* Drops both uses. False if the slot was freed meanwhile: it is not looked at. */
static bool end_move(struct swap_slot *slot, const struct swap_place *to)
{
	bool moved;

	lock(&swap_lock);
	moved = swap_area.moving == slot;
	if (moved) {
		struct swap_file *file = slot->place.file;

		swap_slot_del(slot); /* its use of the file is dropped with ours */
		file->users--;
		swap_slot_add(slot, to);
		swap_area.moved += to->bytes;
	}
	unlock(&swap_lock);
	return moved;
}

static bool move_one(void)
{
	struct swap_place from, to;
	struct swap_slot *slot = begin_move(&from);
	int ret;

	if (!slot)
		return false;
	lock(&swap_lock);
	ret = swap_place_take_unlock(&to, from.bytes, UINT64_MAX);
	if (!ret) {
		ret = copy_if_there(&from, &to);
		if (ret || !end_move(slot, &to))
			swap_place_give(&to, false);
	}
	lock(&swap_lock);
	swap_area.moving = NULL;
	from.file->users--;
	swap_file_unlock(from.file);
	return !ret;
}

static bool begin_tidying(void)
{
	bool first;

	swap_area_lock();
	first = !swap_area.tidying;
	swap_area.tidying = true;
	unlock(&swap_lock);
	return first;
}

void swap_area_tidy(void)
{
	int saved_errno = errno;

	if (!begin_tidying())
		return;
	while (move_one())
		;
	lock(&swap_lock);
	swap_area.tidying = false;
	unlock(&swap_lock);
	errno = saved_errno;
}
