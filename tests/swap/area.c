/* SPDX-License-Identifier: MIT */
#include "tests/swap/area.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[] = "/tmp/cgslab_swap_test.XXXXXX";

void area_begin(void)
{
	cr_assert(mkdtemp(dir));
	cr_assert_eq(swap_area_set(dir, UINT64_MAX), 0);
}

void area_end(void)
{
	cr_assert_eq(rmdir(dir), 0, "%s is not empty", dir);
}

const char *area_dir(void)
{
	return dir;
}

int area_fd(int n)
{
	DIR *fds = opendir("/proc/self/fd");
	struct dirent *entry;
	int found = -1;

	while (found < 0 && (entry = readdir(fds))) {
		char link[sizeof(entry->d_name) + 20], path[256] = "";

		snprintf(link, sizeof(link), "/proc/self/fd/%s", entry->d_name);
		/* The directory itself is open, too. */
		if (readlink(link, path, sizeof(path) - 1) > 0 && strlen(path) > strlen(dir) &&
		    !strncmp(path, dir, strlen(dir)) && n-- == 0)
			found = atoi(entry->d_name);
	}
	closedir(fds);
	return found;
}

uint64_t area_disk_bytes(void)
{
	struct stat stat;
	uint64_t bytes = 0;
	int fd;

	for (int n = 0; (fd = area_fd(n)) >= 0; n++) {
		cr_assert_eq(fstat(fd, &stat), 0);
		bytes += (uint64_t)stat.st_blocks * 512;
	}
	return bytes;
}

struct swap_area_stats area_stats(void)
{
	struct swap_area_stats stats;

	swap_area_stats(&stats);
	return stats;
}

static char *pattern(size_t bytes, unsigned int seed)
{
	char *data = malloc(bytes);

	for (size_t i = 0; i < bytes; i++)
		data[i] = (char)(i * 7 + (i >> 12) + seed);
	return data;
}

int slot_fill(struct swap_slot *slot, size_t bytes, unsigned int seed)
{
	char *data = pattern(bytes, seed);
	int ret = swap_slot_write(slot, data, bytes);

	free(data);
	return ret;
}

bool slot_holds(const struct swap_slot *slot, size_t bytes, unsigned int seed)
{
	char *data = pattern(bytes, seed), *read = malloc(bytes);
	bool same = swap_slot_read(slot, read, bytes) == 0 && !memcmp(data, read, bytes);

	free(data);
	free(read);
	return same;
}

int in_child(int (*fn)(void *arg), void *arg)
{
	int status;
	pid_t pid;

	swap_fork_prepare();
	pid = fork();
	if (pid == 0) {
		swap_fork_child();
		_exit(fn(arg));
	}
	swap_fork_parent();
	cr_assert(pid > 0);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFEXITED(status), "the child died by signal %d", WTERMSIG(status));
	return WEXITSTATUS(status);
}
