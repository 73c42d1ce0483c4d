/* SPDX-License-Identifier: MIT */
/*
 * A program that hardly allocates: what the allocator costs before it is used. Prints how much of
 * the process is resident, and how much of that no other process shares,
 *
 *	Rss KIB
 *	Private_Dirty KIB
 *
 * as the kernel has it after a few blocks of different sizes.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCKS 16

static char rollup[4096];

static int read_rollup(void)
{
	int fd = open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? -1 : read(fd, rollup, sizeof(rollup) - 1);

	if (fd >= 0)
		close(fd);
	return length > 0 ? 0 : -1;
}

static int print_line(const char *name)
{
	const char *line = strstr(rollup, name);

	if (!line)
		return -1;
	printf("%s %ld\n", name, strtol(line + strlen(name) + 1, NULL, 10)); /* behind the colon */
	return 0;
}

int main(void)
{
	char *blocks[BLOCKS];

	for (unsigned i = 0; i < BLOCKS; i++) {
		blocks[i] = malloc(24u << (i % 8));
		if (!blocks[i])
			return 1;
		memset(blocks[i], 1, 24u << (i % 8));
	}
	if (read_rollup() || print_line("Rss") || print_line("Private_Dirty")) {
		fprintf(stderr, "tiny: cannot read /proc/self/smaps_rollup\n");
		return 1;
	}
	for (unsigned i = 0; i < BLOCKS; i++)
		free(blocks[i]);
	return 0;
}
