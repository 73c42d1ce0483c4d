/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/swap/swap_room.h"

#define UNIT 4096ul

struct piece {
	uint64_t offset, bytes;
};

static struct piece take(struct swap_rooms *rooms, uint64_t bytes)
{
	struct piece piece = {.bytes = bytes};
	uint64_t held;
	bool spare;

	cr_assert_eq(swap_room_take(rooms, bytes, INT64_MAX, &piece.offset, &held, &spare), 0);
	return piece;
}

Test(swap_room, is_as_long_as_asked_for_and_a_quarter_more_at_most)
{
	struct swap_rooms rooms;

	swap_rooms_init(&rooms, UNIT);
	for (uint64_t bytes = 1; bytes < 1ul << 40; bytes += bytes / 7 + 1) {
		uint64_t whole = (bytes + UNIT - 1) / UNIT * UNIT;
		uint64_t size = swap_room_size(&rooms, bytes);

		cr_assert(size >= bytes && size % UNIT == 0);
		cr_assert(size <= whole + whole / 4, "%lu for %lu", size, bytes);
		cr_assert_eq(swap_room_size(&rooms, size), size);
		cr_assert(swap_room_size(&rooms, size + 1) > size);
	}
}

Test(swap_room, never_overlaps_and_stays_within_its_bound)
{
	enum { PIECES = 2000, STEPS = 200000, SIZES = 256 };
	static struct piece pieces[PIECES];
	uint64_t used[SIZES] = {0}, most[SIZES] = {0}, bound = 0;
	struct swap_rooms rooms;
	unsigned char *map;

	srand(1);
	swap_rooms_init(&rooms, 1);
	map = calloc(1, 1 << 22);
	for (int i = 0; i < STEPS; i++) {
		struct piece *piece = &pieces[rand() % PIECES];
		uint64_t size = swap_room_size(&rooms, piece->bytes ? piece->bytes : 1);
		unsigned int class;

		if (piece->bytes) {
			class = (unsigned int)(size % SIZES);
			memset(map + piece->offset, 0, piece->bytes);
			swap_room_give(&rooms, piece->offset, piece->bytes, 0, false);
			used[class] -= size;
			piece->bytes = 0;
			continue;
		}
		/* Sizes up to 255 units: each is its own in the tables. */
		*piece = take(&rooms, 1 + (uint64_t)rand() % 200);
		size = swap_room_size(&rooms, piece->bytes);
		class = (unsigned int)(size % SIZES);
		cr_assert(rooms.end <= 1 << 22);
		for (uint64_t at = 0; at < piece->bytes; at++)
			cr_assert_eq(map[piece->offset + at]++, 0);
		used[class] += size;
		if (used[class] > most[class])
			most[class] = used[class];
	}
	for (int i = 0; i < SIZES; i++)
		bound += most[i];
	cr_assert_eq(rooms.end, bound);
	swap_rooms_release(&rooms);
	free(map);
}

Test(swap_room, is_used_again_and_remembers_what_the_disk_holds)
{
	struct swap_rooms rooms;
	struct piece first, second;
	uint64_t offset, held;
	bool spare;

	swap_rooms_init(&rooms, UNIT);
	first = take(&rooms, 9 * UNIT);
	second = take(&rooms, 9 * UNIT);
	cr_assert_neq(first.offset, second.offset);
	swap_room_give(&rooms, first.offset, first.bytes, 7, false);
	cr_assert_eq(swap_room_take(&rooms, 10 * UNIT, INT64_MAX, &offset, &held, &spare), 0);
	cr_assert_eq(offset, first.offset);
	cr_assert_eq(held, 7u);
	cr_assert_eq(take(&rooms, 11 * UNIT).offset, rooms.end - 12 * UNIT);
	swap_rooms_release(&rooms);
}

Test(swap_room, ends_at_the_limit)
{
	struct swap_rooms rooms;
	uint64_t offset, held;
	bool spare;

	swap_rooms_init(&rooms, UNIT);
	cr_assert_eq(swap_room_take(&rooms, UNIT, 2 * UNIT - 1, &offset, &held, &spare), 0);
	cr_assert_eq(swap_room_take(&rooms, UNIT, 2 * UNIT - 1, &offset, &held, &spare), -EFBIG);
	cr_assert_eq(swap_room_take(&rooms, UNIT, 2 * UNIT, &offset, &held, &spare), 0);
	swap_room_give(&rooms, offset, UNIT, 0, false);
	/* The limit may have fallen since. */
	cr_assert_eq(swap_room_take(&rooms, UNIT, 2 * UNIT - 1, &offset, &held, &spare), -EFBIG);
	cr_assert_eq(swap_room_take(&rooms, UNIT, 0, &offset, &held, &spare), -EFBIG);
	swap_rooms_release(&rooms);
}

Test(swap_room, is_spare_until_its_blocks_are_taken)
{
	struct swap_rooms rooms;
	struct piece pieces[4];
	uint64_t offset, bytes, held;
	bool spare;

	swap_rooms_init(&rooms, UNIT);
	cr_assert(!swap_room_take_spare(&rooms, &offset, &bytes, &held));
	for (int i = 0; i < 4; i++)
		pieces[i] = take(&rooms, (i < 2 ? 9 : 20) * UNIT);
	for (int i = 0; i < 4; i++)
		cr_assert(swap_room_give(&rooms, pieces[i].offset, pieces[i].bytes, (uint64_t)i + 1,
					 i != 1));
	/* What was given back last is warm yet; the blocks that go are the oldest. */
	cr_assert_eq(swap_room_take(&rooms, 20 * UNIT, INT64_MAX, &offset, &held, &spare), 0);
	cr_assert_eq(offset, pieces[3].offset);
	cr_assert(spare && held == 4);
	cr_assert(swap_room_take_spare(&rooms, &offset, &bytes, &held));
	cr_assert_eq(offset, pieces[0].offset);
	cr_assert(bytes == 10 * UNIT && held == 1);
	cr_assert(swap_room_give(&rooms, offset, bytes, 0, false));
	cr_assert_eq(swap_room_take(&rooms, 9 * UNIT, INT64_MAX, &offset, &held, &spare), 0);
	cr_assert_eq(offset, pieces[1].offset, "with blocks before without");
	cr_assert(!spare && held == 2);
	cr_assert(swap_room_take_spare(&rooms, &offset, &bytes, &held));
	cr_assert_eq(offset, pieces[2].offset);
	cr_assert(!swap_room_take_spare(&rooms, &offset, &bytes, &held));
	swap_rooms_release(&rooms);
}
