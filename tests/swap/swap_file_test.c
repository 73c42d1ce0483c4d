/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alloc/swap/swap_area.h"
#include "alloc/swap/swap_file.h"
#include "alloc/swap/swap_io.h"

#define MB (1ul << 20)

static char dir[] = "/tmp/swap_file_test.XXXXXX";

static void make_dir(void)
{
	cr_assert(mkdtemp(dir));
	cr_assert_eq(swap_area_set(dir, UINT64_MAX), 0);
}

static void remove_dir(void)
{
	cr_assert_eq(rmdir(dir), 0, "not empty");
}

TestSuite(swap_file, .init = make_dir, .fini = remove_dir);

/* Our descriptor of the n-th file in the directory, or -1. */
static int file_fd(int n)
{
	DIR *fds = opendir("/proc/self/fd");
	struct dirent *entry;
	int found = -1;

	while (found < 0 && (entry = readdir(fds))) {
		char link[sizeof(entry->d_name) + 20], path[256] = "";

		snprintf(link, sizeof(link), "/proc/self/fd/%s", entry->d_name);
		if (readlink(link, path, sizeof(path) - 1) > 0 && strlen(path) > strlen(dir) &&
		    !strncmp(path, dir, strlen(dir)) && n-- == 0)
			found = atoi(entry->d_name);
	}
	closedir(fds);
	return found;
}

static uint64_t disk_bytes(void)
{
	struct stat stat;
	uint64_t bytes = 0;
	int fd;

	for (int n = 0; (fd = file_fd(n)) >= 0; n++) {
		cr_assert_eq(fstat(fd, &stat), 0);
		bytes += (uint64_t)stat.st_blocks * 512;
	}
	return bytes;
}

static char *pattern(size_t bytes, unsigned int seed)
{
	char *data = malloc(bytes);

	for (size_t i = 0; i < bytes; i++)
		data[i] = (char)(i * 7 + (i >> 12) + seed);
	return data;
}

static int put(struct swap_slot *slot, size_t bytes, unsigned int seed)
{
	char *data = pattern(bytes, seed);
	int ret = swap_slot_write(slot, data, bytes);

	free(data);
	return ret;
}

static bool holds(const struct swap_slot *slot, size_t bytes, unsigned int seed)
{
	char *data = pattern(bytes, seed), *read = malloc(bytes);
	bool same = swap_slot_read(slot, read, bytes) == 0 && !memcmp(data, read, bytes);

	free(data);
	free(read);
	return same;
}

static struct swap_area_stats stats(void)
{
	struct swap_area_stats now;

	swap_area_stats(&now);
	return now;
}

Test(swap_file, gives_back_what_was_written)
{
	struct swap_slot slots[20] = {0};

	for (unsigned int i = 0; i < 20; i++)
		cr_assert_eq(put(&slots[i], 1 + i * 77777, i), 0);
	cr_assert_eq(stats().slots, 20u);
	cr_assert_eq(stats().files, 1u);
	for (unsigned int i = 0; i < 20; i++)
		cr_assert(holds(&slots[i], 1 + i * 77777, i));
	for (unsigned int i = 0; i < 20; i++)
		swap_slot_free(&slots[i]);
	cr_assert_eq(stats().slots, 0u);
	cr_assert_eq(stats().bytes, 0u);
	cr_assert_eq(stats().held, 0u);
	cr_assert_eq(stats().files, 0u);
	cr_assert_eq(file_fd(0), -1);
}

Test(swap_file, gives_blocks_back_with_the_slot)
{
	struct swap_slot slots[8] = {0};

	for (unsigned int i = 0; i < 8; i++)
		cr_assert_eq(put(&slots[i], MB, i), 0);
	cr_assert_eq(disk_bytes(), 8 * MB);
	cr_assert_eq(stats().held, 8 * MB);
	for (unsigned int i = 0; i < 8; i += 2)
		swap_slot_free(&slots[i]);
	cr_assert_eq(disk_bytes(), 4 * MB);
	cr_assert_eq(stats().held, 4 * MB);
	cr_assert_eq(put(&slots[0], MB, 9), 0);
	cr_assert_eq(disk_bytes(), 5 * MB);
	cr_assert(holds(&slots[0], MB, 9));
	cr_assert(holds(&slots[1], MB, 1));
	for (unsigned int i = 0; i < 8; i++)
		swap_slot_free(&slots[i]);
	cr_assert_eq(file_fd(0), -1);
}
