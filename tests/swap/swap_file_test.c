/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/swap/area.h"

TestSuite(swap_file, .init = area_begin, .fini = area_end);

Test(swap_file, gives_back_what_was_written)
{
	struct swap_slot slots[20] = {0};
	struct swap_area_stats stats;

	for (unsigned int i = 0; i < 20; i++)
		cr_assert_eq(slot_fill(&slots[i], 1 + i * 77777, i), 0);
	stats = area_stats();
	cr_assert_eq(stats.slots, 20u);
	cr_assert_eq(stats.bytes, 20 + 77777 * 190);
	cr_assert_eq(stats.files, 1u);
	for (unsigned int i = 0; i < 20; i++)
		cr_assert(slot_holds(&slots[i], 1 + i * 77777, i));
	for (unsigned int i = 0; i < 20; i++)
		swap_slot_free(&slots[i]);
	stats = area_stats();
	cr_assert_eq(stats.slots, 0u);
	cr_assert_eq(stats.bytes, 0u);
	cr_assert_eq(stats.held, 0u);
	cr_assert_eq(stats.files, 0u);
	cr_assert_eq(area_fd(0), -1, "the file is closed with its last slot");
}

Test(swap_file, reads_a_part)
{
	struct swap_slot slot = {0};
	char data[2];

	cr_assert_eq(slot_fill(&slot, 100, 1), 0);
	cr_assert(slot_holds(&slot, 50, 1));
	cr_assert_eq(swap_slot_read(&slot, data, 101), -EINVAL);
	swap_slot_free(&slot);
	cr_assert_eq(swap_slot_read(&slot, data, 1), -EINVAL);
	swap_slot_free(&slot);
}

Test(swap_file, gives_blocks_back_with_the_slot)
{
	struct swap_slot slots[8] = {0};

	for (unsigned int i = 0; i < 8; i++)
		cr_assert_eq(slot_fill(&slots[i], MB, i), 0);
	cr_assert_eq(area_disk_bytes(), 8 * MB);
	cr_assert_eq(area_stats().held, 8 * MB);
	for (unsigned int i = 0; i < 8; i += 2)
		swap_slot_free(&slots[i]);
	cr_assert_eq(area_stats().held, 8 * MB);
	cr_assert_eq(area_stats().spare, 4 * MB);
	cr_assert(swap_area_trim());
	cr_assert(!swap_area_trim());
	cr_assert_eq(area_disk_bytes(), 4 * MB);
	cr_assert_eq(area_stats().spare, 0u);
	cr_assert_eq(area_stats().held, 4 * MB);
	cr_assert_eq(slot_fill(&slots[0], MB, 9), 0);
	cr_assert_eq(area_disk_bytes(), 5 * MB);
	cr_assert(slot_holds(&slots[0], MB, 9));
	cr_assert(slot_holds(&slots[1], MB, 1));
	for (unsigned int i = 0; i < 8; i++)
		swap_slot_free(&slots[i]);
}

Test(swap_file, takes_no_disk_for_what_a_class_is_longer)
{
	struct swap_slot slots[16] = {0};

	for (unsigned int i = 0; i < 16; i++)
		cr_assert_eq(slot_fill(&slots[i], MB + 4096, i), 0);
	cr_assert_eq(area_disk_bytes(), 16 * (MB + 4096));
	cr_assert_eq(area_stats().held, 16 * (MB + 4096));
	for (unsigned int i = 0; i < 16; i++)
		swap_slot_free(&slots[i]);
}

Test(swap_file, keeps_no_more_disk_than_slots_whatever_their_sizes)
{
	struct swap_slot slots[32] = {0};
	size_t bytes[32] = {0};
	uint64_t pages = 0, used;
	unsigned int random = 1;

	for (unsigned int i = 0; i < 2000; i++) {
		unsigned int n = (random = random * 1103515245 + 12345) / 65536 % 32;

		swap_slot_free(&slots[n]);
		pages -= (bytes[n] + 4095) / 4096;
		bytes[n] = 1 + random % (200 * KB);
		cr_assert_eq(slot_fill(&slots[n], bytes[n], n), 0);
		pages += (bytes[n] + 4095) / 4096;
		/* Room that was spare may be a quarter longer than what is in it now. */
		used = area_stats().held - area_stats().spare;
		cr_assert(used >= pages * 4096 && used <= pages * 5 * 1024);
		if (i % 100 == 0)
			cr_assert(area_disk_bytes() <= area_stats().held);
	}
	for (unsigned int n = 0; n < 32; n++) {
		cr_assert(!bytes[n] || slot_holds(&slots[n], bytes[n], n));
		swap_slot_free(&slots[n]);
	}
	cr_assert_eq(area_stats().files, 0u);
}

Test(swap_file, is_not_for_others_to_see)
{
	struct swap_slot slot = {0};
	struct stat stat;
	int fd;

	cr_assert_eq(slot_fill(&slot, 4096, 1), 0);
	fd = area_fd(0);
	cr_assert(fd >= 1000 && (fcntl(fd, F_GETFD) & FD_CLOEXEC));
	cr_assert_eq(fstat(fd, &stat), 0);
	cr_assert_eq(stat.st_mode & 0777, 0600);
	cr_assert_eq(stat.st_nlink, 0u);
	swap_slot_free(&slot);
}

Test(swap_file, is_bounded)
{
	struct swap_slot slots[3] = {0};

	cr_assert_eq(swap_area_set(area_dir(), 2 * MB), 0);
	cr_assert_eq(slot_fill(&slots[0], MB, 0), 0);
	cr_assert_eq(slot_fill(&slots[1], MB + 1, 1), -ENOSPC);
	cr_assert_eq(slot_fill(&slots[1], MB, 1), 0);
	cr_assert_eq(slot_fill(&slots[2], 1, 2), -ENOSPC);
	cr_assert_eq(area_stats().held, 2 * MB);
	swap_slot_free(&slots[0]);
	cr_assert_eq(area_stats().held, 2 * MB);
	cr_assert_eq(slot_fill(&slots[2], 1, 2), 0, "spare room gives way");
	cr_assert_eq(area_stats().held, MB + 4096);
	cr_assert(slot_holds(&slots[1], MB, 1));
	swap_slot_free(&slots[1]);
	swap_slot_free(&slots[2]);
	cr_assert_eq(slot_fill(&slots[0], 2 * MB + 1, 0), -ENOSPC);
	cr_assert_eq(area_stats().files, 0u, "a file for nothing is closed");
}

Test(swap_file, needs_a_directory)
{
	struct swap_slot slots[2] = {0};

	cr_assert_eq(slot_fill(&slots[0], 4096, 0), 0);
	cr_assert(swap_area_is_set());
	cr_assert_eq(swap_area_set("/nonexistent", UINT64_MAX), -ENOENT);
	cr_assert_eq(swap_area_set("/proc/self/exe", UINT64_MAX), -ENOTDIR);
	cr_assert(swap_area_is_set());
	cr_assert_eq(slot_fill(&slots[1], 4096, 1), 0);
	swap_slot_free(&slots[1]);
	cr_assert_eq(swap_area_set(NULL, 0), 0);
	cr_assert(!swap_area_is_set());
	cr_assert_eq(slot_fill(&slots[1], 4096, 1), -ENODEV);
	cr_assert(slot_holds(&slots[0], 4096, 0), "what is out stays where it is");
	swap_slot_free(&slots[0]);
	cr_assert_eq(area_fd(0), -1);
}

Test(swap_file, moves_on_to_another_directory)
{
	struct swap_slot slots[2] = {0};

	cr_assert_eq(slot_fill(&slots[0], MB, 0), 0);
	cr_assert_eq(swap_area_set("/tmp", UINT64_MAX), 0);
	cr_assert_eq(slot_fill(&slots[1], MB, 1), 0);
	cr_assert_eq(area_disk_bytes(), MB);
	cr_assert_eq(area_stats().files, 2u);
	cr_assert(slot_holds(&slots[0], MB, 0));
	swap_slot_free(&slots[0]);
	cr_assert_eq(area_fd(0), -1);
	cr_assert_eq(area_stats().files, 1u);
	swap_slot_free(&slots[1]);
}

Test(swap_file, takes_a_relative_directory)
{
	struct swap_slot slot = {0};

	cr_assert_eq(chdir(area_dir()), 0);
	cr_assert_eq(swap_area_set(".", UINT64_MAX), 0);
	cr_assert_eq(chdir("/"), 0);
	cr_assert_eq(slot_fill(&slot, 4096, 1), 0);
	cr_assert(area_fd(0) >= 0);
	swap_slot_free(&slot);
}

Test(swap_file, wipes_a_slot)
{
	struct swap_slot slots[2] = {0};
	char zeros[50000] = {0}, read[50000];

	cr_assert_eq(slot_fill(&slots[0], sizeof(read), 0), 0);
	cr_assert_eq(slot_fill(&slots[1], sizeof(read), 1), 0);
	cr_assert_eq(swap_slot_wipe(&slots[0]), 0);
	cr_assert_eq(swap_slot_read(&slots[0], read, sizeof(read)), 0);
	cr_assert_arr_eq(read, zeros, sizeof(read));
	cr_assert(slot_holds(&slots[1], sizeof(read), 1));
	swap_slot_free(&slots[0]);
	swap_slot_free(&slots[1]);
	cr_assert_eq(swap_slot_wipe(&slots[0]), 0);
}

Test(swap_file, keeps_errno)
{
	struct swap_slot slot = {0};
	char byte = 1;

	errno = EXDEV;
	cr_assert_eq(swap_area_set("/nonexistent", UINT64_MAX), -ENOENT);
	cr_assert_eq(swap_slot_write(&slot, &byte, 1), 0);
	cr_assert_eq(swap_slot_read(&slot, &byte, 1), 0);
	cr_assert_eq(swap_slot_wipe(&slot), 0);
	swap_area_tidy();
	swap_slot_free(&slot);
	cr_assert_eq(swap_area_set(NULL, 0), 0);
	cr_assert_eq(swap_slot_write(&slot, &byte, 1), -ENODEV);
	cr_assert_eq(swap_slot_write(&slot, &byte, 0), -EINVAL);
	cr_assert_eq(errno, EXDEV);
}

Test(swap_file, uses_spare_room_first)
{
	struct swap_slot slots[4] = {0};

	for (unsigned int i = 0; i < 4; i++)
		cr_assert_eq(slot_fill(&slots[i], MB, i), 0);
	for (unsigned int i = 0; i < 100; i++) {
		swap_slot_free(&slots[i % 4]);
		cr_assert_eq(area_stats().spare, MB);
		cr_assert_eq(slot_fill(&slots[i % 4], MB, i % 4), 0);
		cr_assert_eq(area_stats().spare, 0u);
	}
	cr_assert_eq(area_stats().held, 4 * MB);
	cr_assert_eq(area_disk_bytes(), 4 * MB);
	for (unsigned int i = 0; i < 4; i++) {
		cr_assert(slot_holds(&slots[i], MB, i));
		swap_slot_free(&slots[i]);
	}
	cr_assert_eq(area_stats().held, 0u);
	cr_assert_eq(area_stats().spare, 0u);
}

static bool comes(void)
{
	return true;
}

Test(swap_file, has_little_spare_room_unless_somebody_comes_for_it)
{
	static struct swap_slot slots[81];

	for (int round = 0; round < 2; round++) {
		for (unsigned int i = 0; i < 81; i++)
			cr_assert_eq(slot_fill(&slots[i], MB, i), 0);
		for (unsigned int i = 0; i < 80; i++)
			swap_slot_free(&slots[i]);
		cr_assert_eq(area_stats().spare, (round ? 80 : 16) * MB);
		cr_assert_eq(area_stats().held, (round ? 81 : 17) * MB);
		cr_assert_eq(area_disk_bytes(), (round ? 81 : 17) * MB);
		cr_assert(slot_holds(&slots[80], MB, 80));
		swap_slot_free(&slots[80]);
		cr_assert_eq(area_stats().files, (uint32_t)round);
		swap_decay_comes = comes;
	}
	swap_area_trim();
}

Test(swap_file, is_kept_for_a_while_if_somebody_comes_for_it)
{
	static struct swap_slot slots[20];

	swap_decay_comes = comes;
	for (int round = 0; round < 5; round++) {
		for (unsigned int i = 0; i < 20; i++)
			cr_assert_eq(slot_fill(&slots[i], MB, i), 0);
		cr_assert_eq(area_disk_bytes(), 20 * MB, "the same blocks again");
		for (unsigned int i = 0; i < 20; i++)
			swap_slot_free(&slots[i]);
		cr_assert_eq(area_stats().files, 1u);
		cr_assert_eq(area_stats().spare, 20 * MB);
		if (round)
			cr_assert(swap_area_decay());
	}
	cr_assert(!swap_area_decay());
	cr_assert_eq(area_stats().files, 0u);
	cr_assert_eq(area_stats().held, 0u);
	cr_assert_eq(area_fd(0), -1);
}

Test(swap_file, loses_nothing_when_a_part_of_an_empty_one_is_given_back)
{
	static struct swap_slot slots[20];

	swap_decay_comes = comes;
	for (unsigned int i = 0; i < 20; i++)
		cr_assert_eq(slot_fill(&slots[i], MB, i), 0);
	for (unsigned int i = 0; i < 10; i++)
		swap_slot_free(&slots[i]);
	cr_assert(swap_area_decay());
	for (unsigned int i = 10; i < 20; i++)
		swap_slot_free(&slots[i]);
	cr_assert(swap_area_decay());
	cr_assert_eq(area_stats().held, 10 * MB);
	cr_assert_eq(area_disk_bytes(), 10 * MB);
	for (unsigned int i = 0; i < 20; i++)
		cr_assert_eq(slot_fill(&slots[i], MB, i), 0);
	cr_assert_eq(area_stats().held, 20 * MB);
	cr_assert_eq(area_disk_bytes(), 20 * MB);
	for (unsigned int i = 0; i < 20; i++)
		swap_slot_free(&slots[i]);
	cr_assert_eq(swap_area_set(NULL, 0), 0);
	cr_assert_eq(area_stats().files, 0u, "nobody will use it again");
	cr_assert_eq(area_stats().held, 0u);
}

Test(swap_file, gives_back_what_was_spare_for_a_while)
{
	struct swap_slot slots[5] = {0};

	cr_assert(!swap_area_decay());
	for (unsigned int i = 0; i < 5; i++)
		cr_assert_eq(slot_fill(&slots[i], MB, i), 0);
	for (unsigned int i = 0; i < 3; i++)
		swap_slot_free(&slots[i]);
	cr_assert(swap_area_decay(), "they have just become so");
	cr_assert_eq(area_stats().spare, 3 * MB);
	cr_assert_eq(slot_fill(&slots[0], MB, 0), 0);
	swap_slot_free(&slots[3]);
	cr_assert(swap_area_decay(), "one is new");
	cr_assert_eq(area_stats().spare, MB);
	cr_assert_eq(area_disk_bytes(), 3 * MB);
	cr_assert(!swap_area_decay());
	cr_assert_eq(area_disk_bytes(), 2 * MB);
	cr_assert(slot_holds(&slots[0], MB, 0));
	swap_slot_free(&slots[0]);
	swap_slot_free(&slots[4]);
}
