/* SPDX-License-Identifier: MIT */
/*
 * The program takes every descriptor for files of its own. Nobody else may
 * write to them, map them or close them, least of all a forked child.
 */
#include "crime.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

static int limit;

static void check_descriptors(const struct stat *file)
{
	for (int fd = 3; fd < limit; fd++) {
		struct stat st;

		CHECK(fstat(fd, &st) == 0);
		CHECK(st.st_ino == file->st_ino && st.st_size == 0);
	}
}

int main(void)
{
	struct rlimit nofile;
	struct stat file;
	pid_t child;
	int fd;

	CHECK(getrlimit(RLIMIT_NOFILE, &nofile) == 0);
	if (nofile.rlim_cur > 4096) {
		/* A descriptor that sits above this stays out of reach. */
		nofile.rlim_cur = 4096;
		CHECK(setrlimit(RLIMIT_NOFILE, &nofile) == 0);
	}
	limit = (int)nofile.rlim_cur;
	fd = open("file", O_RDWR | O_CREAT, 0600);
	CHECK(fd >= 0 && fstat(fd, &file) == 0);
	for (int i = 3; i < limit; i++)
		CHECK(i == fd || dup2(fd, i) == i);

	exercise();
	check_descriptors(&file);
	child = fork();
	if (child == 0) {
		exercise();
		check_descriptors(&file);
		exit(0);
	}
	expect_success(child);
	check_descriptors(&file);
	return 0;
}
