/* SPDX-License-Identifier: MIT */
/* A file of the program comes to be descriptor 2, and stays empty. */
#include "crime.h"

#include <fcntl.h>
#include <sys/stat.h>

int main(void)
{
	int saved = dup(2);
	struct stat st;
	pid_t child;

	for (int fd = 0; fd < 3; fd++)
		close(fd);
	for (int fd = 0; fd < 3; fd++)
		if (open("file", O_RDWR | O_CREAT, 0600) != fd)
			_exit(2);
	exercise();
	child = fork();
	if (child == 0) {
		exercise();
		exit(0);
	}
	expect_success(child);
	CHECK(fstat(2, &st) == 0 && st.st_size == 0);
	CHECK(dup2(saved, 2) == 2);
	return 0;
}
